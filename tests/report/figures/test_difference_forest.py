"""Tests of the forest plot: which rows have a line, and its words."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmark.core.run_record import Failure
from benchmark.evaluation.stats import Interval
from benchmark.report.figures.difference_forest import ForestLine, collect_lines, draw_forest
from benchmark.report.rows import read_rows
from benchmark.report.study_results import GroupResults, collect_results
from benchmark.store.store import Store
from tests.report.world import even, hand_counts, plan_of, save, spec_of, two_rows


@pytest.fixture
def group(tmp_path: Path) -> GroupResults:
    store = Store(tmp_path / "runs")
    ids = {row.label: row.ids for row in two_rows(store).rows}
    ids["lost"] = {0: save(store, spec_of("lost"), Failure(kind="X", message="y"))}
    return collect_results(read_rows(store, plan_of(ids))).groups[0]


def test_every_row_but_the_baseline_has_a_line_with_the_numbers_of_the_table(group: GroupResults) -> None:
    first, lost = collect_lines(group)
    known = group.differences[1]
    assert known is not None and (first.label, first.difference) == ("no SGD", known.paired.difference)
    assert (first.interval, first.p_adjusted) == (known.paired.interval, known.p_adjusted) and first.is_decided
    assert (lost.label, lost.text, lost.ends) == ("lost", "failed", ())


def test_a_difference_and_its_interval_are_written_with_minus_signs() -> None:
    line = ForestLine("row", -1.5, Interval(-3.04, 0.04, 0.95, "images", df=3.0), 0.2)
    assert line.text == "\u22121.5 [\u22123.0, 0.0]" and not line.is_decided
    assert ForestLine("row", 2.0).text == "+2.0"


def test_a_difference_of_two_seeds_is_flagged_and_the_legend_says_why(tmp_path: Path) -> None:
    store, ids = Store(tmp_path / "runs"), {}
    for label, less in (("a", 0), ("b", 9)):
        right = [[[80 + seed, 80, 60 + n - less, 50 + seed * n] for n in range(4)] for seed in range(2)]
        ids[label] = {seed: save(store, spec_of(label, seed=seed), hand_counts(right[seed])) for seed in range(2)}
    (path,) = draw_forest(collect_results(read_rows(store, plan_of(ids))).groups[0], tmp_path, formats=["svg"])
    assert "b \u2020" in path.read_text() and "\u2020 two seeds" in path.read_text()


def test_a_row_alone_has_no_forest(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = read_rows(store, plan_of({"row": {0: save(store, spec_of(), even(80, 60))}}))
    assert draw_forest(collect_results(rows).groups[0], tmp_path) == []
    assert math.isnan(ForestLine("row").difference)
