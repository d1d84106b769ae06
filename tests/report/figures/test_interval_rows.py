"""Tests of the figures of one interval per row and of the cost: what is drawn, and the rows that no other beats."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.report.figures.cost_scatter import draw_costs, find_front
from benchmark.report.figures.interval_rows import draw_forest, draw_ranks
from benchmark.report.figures.loss_curves import choose_losses, choose_points
from benchmark.report.figures.style import keep_text
from benchmark.report.rows import read_rows
from benchmark.report.study_results import GroupResults, collect_results
from benchmark.store.store import Store
from tests.report.world import two_rows


@pytest.fixture
def group(tmp_path: Path) -> GroupResults:
    store = Store(tmp_path / "runs")
    return collect_results(read_rows(store, two_rows(store)), has_ranks=True).groups[0]


def test_the_forest_has_a_line_per_comparison(group: GroupResults, tmp_path: Path) -> None:
    with keep_text():
        (path,) = draw_forest(group, tmp_path, formats=["svg"])
    text = path.read_text(encoding="utf-8")
    assert ">no SGD<" in text and ">paper<" not in text and "hIoU minus that of paper (points)" in text


def test_ranks_are_drawn_with_their_ranges(group: GroupResults, tmp_path: Path) -> None:
    with keep_text():
        (path,) = draw_ranks(group, tmp_path, formats=["svg"])
    assert "1 [1, 1] of 2" in path.read_text(encoding="utf-8")


def test_costs_are_drawn_and_repeat_to_the_byte(group: GroupResults, tmp_path: Path) -> None:
    first, second = (draw_costs(group.rows, tmp_path / name, formats=["svg"])[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()


def test_texts_are_outlines_unless_they_are_kept(group: GroupResults, tmp_path: Path) -> None:
    (path,) = draw_forest(group, tmp_path, formats=["svg"])
    assert "<text" not in path.read_text(encoding="utf-8")


def test_the_front_has_the_rows_that_no_cheaper_row_beats() -> None:
    assert find_front([(2, 50), (1, 40), (3, 45), (2, 48), (4, 60)]) == [(1, 40), (2, 50), (4, 60)]


def test_a_thinned_line_keeps_both_ends() -> None:
    assert choose_points(5, 0).tolist() == [0, 1, 2, 3, 4]
    assert choose_points(101, 3).tolist() == [0, 50, 100]


def test_the_losses_that_most_rows_have_are_kept_with_the_total() -> None:
    rows = [{"total": 1, "a": 1, "b": 1}, {"b": 1}, {"total": 1, "c": 1, "b": 1}]
    assert choose_losses(rows, 0) == ["total", "a", "b", "c"]
    assert choose_losses(rows, 2) == ["total", "b"]
