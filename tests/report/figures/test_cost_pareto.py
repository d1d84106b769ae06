"""Tests of hIoU against cost: which panels there are, and the rows of the front."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmark.report.figures.cost_pareto import collect_panels, draw_cost
from benchmark.report.result_row import ResultRow
from benchmark.report.rows import read_rows
from benchmark.store.store import Store
from tests.report.world import COST, even, plan_of, save, spec_of


def read_costs(store: Store, costs: dict[str, dict[str, Any]]) -> list[ResultRow]:
    """Return a row per label with changes of its cost; "unseen" are the correct pixels of its unseen classes."""
    ids = {}
    for label, changes in costs.items():
        counts = even(80, changes.pop("unseen", 50))
        ids[label] = {0: save(store, spec_of(label), counts, cost=COST.model_copy(update=changes))}
    return list(read_rows(store, plan_of(ids)))


def test_the_front_holds_the_rows_that_no_cheaper_row_reaches(tmp_path: Path) -> None:
    costs = {"a": (1, 40), "b": (2, 60), "c": (3, 50), "d": (4, 70), "e": (1, 30)}
    known = {label: {"inference_flops": cost * 10**9, "unseen": unseen} for label, (cost, unseen) in costs.items()}
    (panel,) = collect_panels(read_costs(Store(tmp_path), known))
    assert panel.name == "inference (GFLOPs per image)"
    assert [(point.look.label, point.cost) for point in panel.front] == [("a", 1.0), ("b", 2.0), ("d", 4.0)]


def test_costs_that_do_not_differ_or_are_known_of_one_row_have_no_panel(tmp_path: Path) -> None:
    costs: dict[str, dict[str, Any]] = {"a": {"inference_flops": None}, "b": {}}
    rows = read_costs(Store(tmp_path / "runs"), costs)
    assert collect_panels(rows) == [] and draw_cost(rows, tmp_path) == []


def test_no_training_is_zero_minutes_whatever_the_clock_says(tmp_path: Path) -> None:
    rows = read_costs(Store(tmp_path / "runs"), {"a": {"train_seconds": 0.0002}, "b": {"train_seconds": 600.0}})
    (panel,) = collect_panels(rows)
    assert [point.cost for point in panel.points] == [0.0, 10.0]
    assert [path.name for path in draw_cost(rows, tmp_path, formats=["svg"])] == ["cost.svg"]
