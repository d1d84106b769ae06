"""Tests of the marks of cautions: each caution of the legend is true of every label that has its mark."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmark.evaluation.stats import Interval
from benchmark.report.figures.caution_marks import CautionMarks, list_intervals, number_cautions
from benchmark.report.figures.study_figures import draw_all
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import hand_counts, plan_of, save, spec_of


def make_intervals(*cautions: str, kind: str = "seeds and images") -> list[Interval]:
    return [Interval(0.0, 1.0, 0.95, kind, 3.0, caution) for caution in cautions]


def list_texts(marks: CautionMarks) -> list[object]:
    return [handle.get_label() for handle in marks.make_handles()]


@pytest.mark.parametrize(("seeds", "label"), [(1, "row"), (2, "row †"), (3, "row")])
def test_a_row_of_two_seeds_is_marked_and_the_legend_says_why(tmp_path: Path, seeds: int, label: str) -> None:
    right = [[[80 + seed, 80, 60 + image, 50 + seed + image] for image in range(4)] for seed in range(seeds)]
    ids = {seed: save(Store(tmp_path), spec_of(seed=seed), hand_counts(right[seed])) for seed in range(seeds)}
    (row,) = read_rows(Store(tmp_path), plan_of({"row": ids}))
    marks = number_cautions([list_intervals(row, ["hiou"])])
    assert marks.mark("row", list_intervals(row, ["hiou"])) == label
    assert list_texts(marks) == (["† two seeds: unreliable"] if seeds == 2 else [])


@pytest.mark.parametrize(
    ("rows", "labels", "texts"),
    [
        ([["a"], [""], ["a"]], ["r †", "r", "r †"], ["† a"]),
        ([["a; b"], ["b", "a"]], ["r †", "r †"], ["† a; b"]),
        ([["a"], ["b"], ["a; c", "b"]], ["r †1", "r †2", "r †1,3,2"], ["†1 a", "†2 b", "†3 c"]),
    ],
)
def test_different_cautions_have_different_marks(
    rows: Sequence[Sequence[str]], labels: Sequence[str], texts: Sequence[str]
) -> None:
    intervals = [make_intervals(*cautions) for cautions in rows]
    marks = number_cautions(intervals)
    assert [marks.mark("r", own) for own in intervals] == labels
    assert list_texts(marks) == texts


def test_an_interval_over_images_is_not_marked() -> None:
    assert list_texts(number_cautions([make_intervals("one run", kind="images"), [None]])) == []


def test_figures_tell_which_caution_is_of_which_row(tmp_path: Path) -> None:
    store, ids = Store(tmp_path / "runs"), {}
    for label, step in (("varied", 1), ("constant", 0), ("three", 1)):
        seeds = range(3 if label == "three" else 2)
        right = [[[80 + step * seed, 80, 60 + n, 50 + step * seed * n] for n in range(4)] for seed in seeds]
        ids[label] = {seed: save(store, spec_of(label, seed=seed), hand_counts(right[seed])) for seed in seeds}
    paths = draw_all(collect_results(read_rows(store, plan_of(ids))), store, tmp_path, formats=["svg"])
    texts = {path.stem: re.findall("<!-- (.*†.*) -->", path.read_text()) for path in paths}
    assert texts["hiou"][:3] == ["varied †1", "constant †1,2", "†1 two seeds: unreliable"]
    assert texts["differences"] == ["constant †", "three †", "† two seeds: unreliable"]
    assert texts["seen-unseen"][:2] == ["varied  49.2 †1", "constant  48.9 †1,2,3"]
