"""Tests of the figure of ranks, and of lines that are thinned for a page."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.report.figures.loss_curves import choose_losses, choose_points
from benchmark.report.figures.rank_ranges import describe_variation, draw_ranks
from benchmark.report.figures.style import keep_text
from benchmark.report.html.figures import draw_figures
from benchmark.report.rows import read_rows
from benchmark.report.study_results import GroupResults, collect_results
from benchmark.store.store import Store
from tests.report.world import even, plan_of, plan_splits, save, save_splits, spec_of, two_rows


@pytest.fixture
def group(tmp_path: Path) -> GroupResults:
    store = Store(tmp_path / "runs")
    return collect_results(read_rows(store, two_rows(store)), has_ranks=True).groups[0]


def test_ranks_are_drawn_with_their_ranges(group: GroupResults, tmp_path: Path) -> None:
    with keep_text():
        (path,) = draw_ranks(group, tmp_path, formats=["svg"])
    assert "1 [1, 1] of 2" in path.read_text(encoding="utf-8")


def test_the_caption_of_ranks_names_the_variation_behind_them(group: GroupResults, tmp_path: Path) -> None:
    store = Store(tmp_path / "other")
    single = plan_of({label: {0: save(store, spec_of(label), even(80, 60))} for label in "ab"})
    pooled = plan_splits(*(save_splits(store, label, {0: 0, 1: 9}) for label in "cd"))
    (alone,), (over_splits,) = (
        collect_results(read_rows(store, plan), has_ranks=True).groups for plan in (single, pooled)
    )
    assert describe_variation(group) == "seeds and images" and describe_variation(alone) == "images"
    assert describe_variation(over_splits) == "splits, seeds and images"
    (figure,) = [one for one in draw_figures([group], store) if one.name == "ranks"]
    assert all("the variation of seeds and images allows" in text for text in (figure.caption, figure.svg))


def test_texts_are_outlines_unless_they_are_kept(group: GroupResults, tmp_path: Path) -> None:
    (path,) = draw_ranks(group, tmp_path, formats=["svg"])
    assert "<text" not in path.read_text(encoding="utf-8")


def test_a_thinned_line_keeps_both_ends() -> None:
    assert choose_points(5, 0).tolist() == [0, 1, 2, 3, 4]
    assert choose_points(101, 3).tolist() == [0, 50, 100]


def test_the_losses_that_most_rows_have_are_kept_with_the_total() -> None:
    rows = [{"total": 1, "a": 1, "b": 1}, {"b": 1}, {"total": 1, "c": 1, "b": 1}]
    assert choose_losses(rows, 0) == ["total", "a", "b", "c"]
    assert choose_losses(rows, 2) == ["total", "b"]
