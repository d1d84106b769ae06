"""Figures: which there are, that they repeat to the byte, and the numbers behind them."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import numpy as np
import pytest

from benchmark.core.run_record import Failure
from benchmark.report.figures.bars import draw_bars
from benchmark.report.figures.curves import losses_by_name, smoothed
from benchmark.report.figures.plot import draw_all
from benchmark.report.figures.style import colours, markers
from benchmark.report.figures.tradeoff import draw_scatter, mean_curve
from benchmark.report.rows import collect
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of, two_rows


def test_every_figure_is_drawn_and_repeats_to_the_byte(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    plan = two_rows(store)
    ids = {row.label: row.ids for row in plan.rows}
    for at in range(5):
        store.run(ids["paper"][0]).append_losses(at, {"pixel": 1 / (at + 1), "distill": 0.5})
    rows = collect(store, plan_of(ids | {"lost": {0: save(store, spec_of("lost"), Failure(kind="X", message="y"))}}))
    first, second = (draw_all(rows, store, tmp_path / name, formats=["svg"]) for name in ("one", "two"))
    assert [path.name for path in first] == [
        f"{name}.svg" for name in ("hiou", "seen-unseen", "gamma", "classes", "losses")
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_png_and_pdf_repeat_to_the_byte_and_hold_no_date(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = collect(store, two_rows(store))
    first, second = (draw_bars(rows, tmp_path / name) for name in ("one", "two"))
    assert [path.suffix for path in first] == [".png", ".pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"CreationDate" not in first[1].read_bytes() and b"Software" not in first[0].read_bytes()


def test_a_study_without_results_has_bars_that_say_so_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = collect(store, plan_of({"never": {0: spec_of("never").id}}))
    assert [path.name for path in draw_all(rows, store, tmp_path, formats=["svg"])] == ["hiou.svg"]


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path) -> None:
    store, before = Store(tmp_path / "runs"), dict(matplotlib.rcParams)
    draw_scatter(collect(store, two_rows(store)), tmp_path, formats=["svg"])
    assert dict(matplotlib.rcParams) == before


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    with pytest.raises(ValueError, match="no figure format 'gif'; there are: pdf, png, svg"):
        draw_bars(collect(store, two_rows(store)), tmp_path, formats=["gif"])


def test_losses_are_joined_where_all_runs_report_them() -> None:
    runs = [
        [{"iteration": at, "losses": {"b": 1.0 * at, "a": 2.0 + run}} for at in range(0, 6, 2 - run)] for run in (0, 1)
    ]
    found = losses_by_name(runs)
    assert list(found) == ["total", "b", "a"]
    iterations, values = found["total"]
    assert iterations.tolist() == [0, 2, 4] and values.tolist() == [[2, 4, 6], [3, 5, 7]]


def test_a_loss_that_was_not_finite_is_a_gap() -> None:
    _, values = losses_by_name([[{"iteration": 0, "losses": {"a": None}}]])["a"]
    assert np.isnan(values).all()


def test_smoothing_keeps_a_line_and_its_length() -> None:
    line = np.arange(100.0)[None]
    assert smoothed(line).shape == line.shape
    assert smoothed(line)[0, 50] == 50 and smoothed(np.array([[3.0]])).tolist() == [[3.0]]


def test_the_gamma_curve_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {seed: save(store, spec_of(seed=seed), even(80 + seed, 60)) for seed in (0, 1)}
    both, one, other = (collect(store, plan_of({"row": part}))[0] for part in (ids, {0: ids[0]}, {1: ids[1]}))
    assert np.array_equal(mean_curve(both), (mean_curve(one) + mean_curve(other)) / 2, equal_nan=True)


def test_no_two_of_a_hundred_rows_look_alike() -> None:
    assert len(set(zip(colours(100), markers(100), strict=True))) == 100
