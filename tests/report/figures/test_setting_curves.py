"""Tests of curves over a setting: which rows are joined, and how the curve is called."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmark.report.figures.setting_curves import (
    SettingCurve,
    collect_setting_curves,
    draw_settings,
    find_shared_label,
)
from benchmark.report.result_row import ResultRow
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import BUDGET, even, plan_of, plan_splits, save, save_splits, spec_of


def read_configs(store: Store, configs: Mapping[str, Mapping[str, Any]], **changes: Any) -> list[ResultRow]:
    """Return a row per label, whose run has a config."""
    ids = {}
    for index, (label, config) in enumerate(configs.items()):
        spec = spec_of(f"v{index}", config=dict(config), **changes)
        ids[label] = {0: save(store, spec, even(80, 50 + index))}
    return list(read_rows(store, plan_of(ids)))


def test_rows_that_differ_in_one_number_are_a_curve_in_its_order(tmp_path: Path) -> None:
    configs = {f"{k} blocks": {"head": {"blocks": k, "norm": None}} for k in (3, 1, 2)}
    (curve,) = collect_setting_curves(read_configs(Store(tmp_path), configs))
    assert (curve.key, curve.values, curve.label) == ("head.blocks", [1.0, 2.0, 3.0], "Demo")
    hious = [estimate.mean for _, estimate in curve.points]
    assert hious[1] > hious[0] > 0 and hious[2] > 0


@pytest.mark.parametrize(
    "second",
    [{"blocks": 2, "width": 8}, {"blocks": 1, "width": 4, "more": 1}, {"blocks": None, "width": 4}, {"blocks": True}],
)
def test_rows_that_differ_in_anything_else_are_no_curve(tmp_path: Path, second: dict[str, Any]) -> None:
    rows = read_configs(Store(tmp_path), {"a": {"blocks": 1, "width": 4}, "b": second})
    assert collect_setting_curves(rows) == [] and draw_settings(rows, tmp_path) == []


def test_a_schedule_is_a_curve_over_iterations(tmp_path: Path) -> None:
    store, ids = Store(tmp_path / "runs"), {}
    for iterations in (300, 900):
        spec = spec_of(budget=BUDGET.model_copy(update={"iterations": iterations}))
        ids[f"paper, {iterations}"] = {0: save(store, spec, even(80, 50))}
    rows = read_rows(store, plan_of(ids))
    (curve,) = collect_setting_curves(rows)
    assert (curve.key, curve.label, curve.values) == ("budget.iterations", "paper", [300.0, 900.0])
    assert [path.name for path in draw_settings(rows, tmp_path, formats=["svg"])] == ["settings.svg"]


@pytest.mark.parametrize(
    ("labels", "shared"),
    [
        (["ZegCLIP, 300", "ZegCLIP, 3000"], "ZegCLIP"),
        (["CSH k=2", "CSH k=3"], "CSH"),
        (["paper [a.b=1]", "paper [a.b=2]"], "paper"),
        (["1 block", "2 blocks"], ""),
        (["depth", "depths"], ""),
    ],
)
def test_a_curve_is_called_what_its_labels_share(labels: list[str], shared: str) -> None:
    assert find_shared_label(labels) == shared


def test_curves_that_would_share_a_label_are_named_by_their_first_row(tmp_path: Path) -> None:
    configs = {f"{part}{k}": {"part": part, "k": k} for part in "xy" for k in (1, 2)}
    assert [curve.label for curve in collect_setting_curves(read_configs(Store(tmp_path), configs))] == ["x1", "y1"]


def test_means_over_different_splits_are_not_joined(tmp_path: Path) -> None:
    def save_lengths(name: str, splits: Mapping[int, range]) -> list[SettingCurve]:
        store, rows = Store(tmp_path / name), []
        for iterations, numbers in splits.items():
            budget = BUDGET.model_copy(update={"iterations": iterations})
            saved = save_splits(store, "v", dict.fromkeys(numbers, 0), seeds=1, budget=budget)
            rows.append([row.model_copy(update={"label": f"paper, {iterations}"}) for row in saved])
        return collect_setting_curves(collect_results(read_rows(store, plan_splits(*rows))).rows)

    assert save_lengths("few", {300: range(3), 600: range(1)}) == []
    curves = save_lengths("more", {300: range(3), 600: range(3), 900: range(2), 1200: range(2)})
    assert [curve.values for curve in curves] == [[300.0, 600.0], [900.0, 1200.0]]
    assert [curve.label for curve in curves] == ["paper", "paper (2 of 3 splits)"]
