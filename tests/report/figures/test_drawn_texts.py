"""Texts of all figures lie apart and within their figure, whatever the rows are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmark.core.plan import Plan
from benchmark.core.run_record import Failure
from benchmark.report.figures.study_figures import draw_figures
from benchmark.report.figures.style import open_figure
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.figures.drawn_texts import watch_texts
from tests.report.world import COST, even, hand_counts, plan_of, plan_splits, save, save_splits, spec_of

LABELS = ("$10 vs _x_ $20", "漢字 model", "_under_score", "paper [sgd.weight=0.5, head.norm=null]")
LONG = "A very long label of a variant that says everything it does and more than that"
KINDS = ("seen_masks", "none", "tags", "captions", "points", "seen_masks+unseen_names")


def make_one(store: Store) -> Plan:
    """Return a plan of a single run."""
    return plan_of({"paper": {0: save(store, spec_of(), even(80, 60))}})


def make_fifteen(store: Store) -> Plan:
    """Return a plan of fifteen rows with awkward labels and classes; one row is failed, and one is missing."""
    labels = [*LABELS, f"{LONG} 1", f"{LONG} 2", *(f"Method {index}" for index in range(9))]
    ids = {}
    for index, label in enumerate(labels):
        counts = hand_counts([[40 + 4 * index, 40 + 3 * index + n, 60 - 3 * index + n, 50] for n in range(4)])
        counts = replace(counts, classes=("gr$ass$", "_wa_ter", "漢 a class with a very long name", "fish"))
        costs = {"trainable_parameters": 10 ** (index % 6), "train_seconds": 60.0 * index}
        record: dict[str, Any] = {"supervision": KINDS[index % 6], "cost": COST.model_copy(update=costs)}
        ids[label] = {0: save(store, spec_of(f"v{index}"), counts, **record)}
        for at in range(0, 20, 2):
            store.run(ids[label][0]).append_losses(at, {f"loss_{'long_' * 9}": 5 / (at + 1), "b": 100 / (at + 1) ** 2})
    lost = {"failed": {0: save(store, spec_of("f"), Failure(kind="X", message="y"))}, "missing": {0: spec_of("m").id}}
    return plan_of(ids | lost)


def make_extreme(store: Store) -> Plan:
    """Return a plan of rows with 0, all and no results, compared with one near 0."""
    ids = {label: {0: save(store, spec_of(label), even(*pixels))} for label, pixels in EXTREMES.items()}
    return plan_of(ids | {"failed": {0: save(store, spec_of("f"), Failure(kind="X", message="y"))}})


EXTREMES = {"low": (1, 1), "high": (100, 100), "zero": (90, 0)}


def make_splits(store: Store) -> Plan:
    """Return a plan of six rows on three splits, one of which lacks a split."""
    lost = [{n: (7 * row + 3 * n) % 40 for n in range(3) if (row, n) != (3, 1)} for row in range(6)]
    return plan_splits(*(save_splits(store, f"row {row}", some) for row, some in enumerate(lost)))


def make_sweep(store: Store) -> Plan:
    """Return a plan of a sweep over two numbers."""
    ids = {}
    for blocks in (1, 2, 3, 12):
        for width in (100, 3000):
            spec = spec_of("sweep", config={"head": {"blocks": blocks}, "a": {"long": {"key": {"of": width}}}})
            ids[f"Chimera [head.blocks={blocks}, a.long.key.of={width}]"] = {
                0: save(store, spec, even(80, 40 + blocks))
            }
    return plan_of(ids)


@pytest.mark.parametrize("make", [make_one, make_fifteen, make_extreme, make_splits, make_sweep])
def test_texts_lie_apart_and_within_the_figure_and_no_line_crosses_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Store], Plan]
) -> None:
    store = Store(tmp_path / "runs")
    results = collect_results(read_rows(store, make(store)))
    texts = watch_texts(monkeypatch)
    assert draw_figures(results, store, tmp_path, formats=["svg"]).paths
    assert texts.problems == []


def test_overlaps_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = watch_texts(monkeypatch)
    with open_figure(tmp_path, "x", size=(3, 2), formats=["svg"]) as figure:
        axes = figure.add_subplot()
        axes.axvline(0.5)
        for x, y, text in ((0.4, 0.5, "one on a line"), (0.45, 0.5, "two"), (3.0, 0.1, "outside")):
            axes.text(x, y, text, clip_on=False, in_layout=False)
    assert {"'outside' leaves the figure", "'one on a line' overlaps 'two'", "a line crosses 'one on a line'"} <= set(
        texts.problems
    )
