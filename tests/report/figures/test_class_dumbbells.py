"""Tests of the dumbbells of classes: which rows and classes are shown, and their numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from benchmark.report.figures import class_dumbbells
from benchmark.report.figures.class_dumbbells import (
    BETTER,
    MAX_PANELS,
    WORSE,
    choose_rows,
    collect_pairs,
    draw_dumbbells,
)
from benchmark.report.figures.style import GRAY, keep_text
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import even, plan_of, plan_splits, save, save_splits, spec_of, two_rows


def test_classes_are_pairs_of_the_iou_of_both_rows_seen_ones_first(tmp_path: Path) -> None:
    store = Store(tmp_path)
    (group,) = collect_results(read_rows(store, two_rows(store))).groups
    pairs = collect_pairs(group.rows[0], group.rows[1:])
    assert [pair.name for pair in pairs] == ["grass", "water", "cup*", "fish*"]
    names = list(group.rows[0].counts[0].classes)
    for pair in pairs:
        known = [row.average_iou(is_seen=pair.is_seen)[names.index(pair.name.rstrip("*"))] for row in group.rows]
        assert [pair.a, *pair.others] == pytest.approx(known)


def test_the_best_rows_are_shown_in_the_order_of_the_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {f"row {n}": {0: save(store, spec_of(f"v{n}"), even(80, 50 + 7 * n % 11))} for n in range(8)}
    (group,) = collect_results(read_rows(store, plan_of(ids))).groups
    shown, means = choose_rows(group), [row.estimates["hiou"].mean for row in group.rows[1:]]
    assert len(shown) == MAX_PANELS and [row for row in group.rows if row in shown] == shown
    assert min(row.estimates["hiou"].mean for row in shown) >= np.sort(means)[-MAX_PANELS]


def test_over_splits_a_class_is_there_while_seen_and_while_unseen(tmp_path: Path) -> None:
    rows = (save_splits(Store(tmp_path), label, {n: lost for n in range(3)}) for label, lost in (("a", 0), ("b", 9)))
    (group,) = collect_results(read_rows(Store(tmp_path), plan_splits(*rows))).groups
    names = [pair.name for pair in collect_pairs(group.rows[0], group.rows[1:])]
    assert {"grass", "grass*", "fish*"} <= set(names) and "fish" not in names  # fish is unseen on all splits
    assert [path.name for path in draw_dumbbells(group, tmp_path, formats=["svg"])] == ["class-differences.svg"]


@pytest.mark.parametrize(("b", "color"), [(0.0, GRAY), (1e-12, GRAY), (0.1, BETTER), (-0.1, WORSE)])
def test_equal_classes_are_neither_better_nor_worse(b: float, color: str) -> None:
    axes = Figure().subplots()
    class_dumbbells._draw_pair(axes, 0.0, b, y=0)
    _, point = sorted(axes.collections, key=lambda points: points.get_zorder())
    (shown,) = np.asarray(point.get_edgecolor() if color == GRAY else point.get_facecolor())
    assert to_hex(tuple(shown)) == to_hex(color)
    assert [line.get_color() for line in axes.lines] == ([] if color == GRAY else [color])


def test_the_legend_explains_equal_classes_if_there_are_some(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    for name, values in (("equal", (60, 60)), ("other", (60, 50))):
        specs = {label: spec_of(f"{name} {label}") for label in "ab"}
        ids = {
            label: {0: save(store, specs[label], even(80 + (value == 50), value))}
            for label, value in zip("ab", values, strict=True)
        }
        (group,) = collect_results(read_rows(store, plan_of(ids))).groups
        with keep_text():
            (path,) = draw_dumbbells(group, tmp_path / name, formats=["svg"])
        assert ("row of the panel, equal" in path.read_text(encoding="utf-8")) == (name == "equal")


def test_without_a_second_row_there_are_no_dumbbells(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = read_rows(store, plan_of({"row": {0: save(store, spec_of(), even(80, 60))}}))
    assert draw_dumbbells(collect_results(rows).groups[0], tmp_path) == []
