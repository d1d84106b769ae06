"""Tests of figures of rows over several splits: which are drawn, their labels, and equal bytes for equal runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.report.figures.captions import mark_splits
from benchmark.report.figures.split_effects import draw_effects, label_splits, sort_splits
from benchmark.report.figures.study_figures import draw_all
from benchmark.report.rows import read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.store.store import Store
from tests.report.world import plan_splits, save_splits

LOST = {"paper": {0: 0, 1: 0, 2: 0}, "no SGD": {0: 10, 1: -3, 2: 30}, "short": {0: 5, 1: 6}}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def results(store: Store) -> StudyResults:
    return collect_results(read_rows(store, plan_splits(*(save_splits(store, *item) for item in LOST.items()))))


def test_several_splits_have_one_set_of_figures_that_repeats_to_the_byte(
    tmp_path: Path, store: Store, results: StudyResults
) -> None:
    first, second = (draw_all(results, store, tmp_path / name, formats=["svg"]) for name in ("one", "two"))
    assert [path.name for path in first] == [
        f"{name}.svg"
        for name in ("hiou", "differences", "effect-by-split", "seen-unseen", "gamma", "classes", "class-differences")
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_a_row_that_lacks_splits_says_so_in_every_figure_of_its_means(results: StudyResults) -> None:
    rows = results.groups[0].rows
    assert [mark_splits(row, row.label) for row in rows] == ["paper", "no SGD", "short (2 of 3 splits)"]


def test_splits_that_are_kept_apart_have_no_figure_of_the_effect(
    tmp_path: Path, store: Store, results: StudyResults
) -> None:
    assert all(draw_effects(group, tmp_path) == [] for group in results.by_split.groups)
    names = {path.parent.name for path in draw_all(results.by_split, store, tmp_path, formats=["svg"])}
    assert names == {"toybox-2-s0-00", "toybox-2-s0-01", "toybox-2-s0-02"}


def test_the_cautions_of_the_mean_are_in_the_legend(tmp_path: Path) -> None:
    rows = (save_splits(Store(tmp_path), label, LOST[label], seeds=2) for label in ("paper", "no SGD"))
    (group,) = collect_results(read_rows(Store(tmp_path), plan_splits(*rows))).groups
    (path,) = draw_effects(group, tmp_path, formats=["svg"])
    assert "intervals of the mean: two" in path.read_text()


def test_splits_are_sorted_by_the_first_comparison_and_those_without_it_are_last(results: StudyResults) -> None:
    known = [one.pooled for one in results.groups[0].differences if one is not None]
    first, short = (pooled for pooled in known if pooled is not None)
    assert [name[-2:] for name in sort_splits(results.groups[0], first)] == ["01", "00", "02"]
    assert sort_splits(results.groups[0], short)[-1].endswith("02")


def test_splits_are_named_with_their_unseen_classes_if_there_is_space(results: StudyResults) -> None:
    splits = [f"toybox@2-s0-0{number}" for number in (1, 0, 2)]
    assert label_splits(results.groups[0], splits, space_in=2.0) == [
        "01: water, fish",
        "00: cup, fish",
        "02: grass, fish",
    ]
    assert label_splits(results.groups[0], splits, space_in=0.5)[0] == "01: water,\nfish"
    assert label_splits(results.groups[0], splits, space_in=0.2) == ["01", "00", "02"]
