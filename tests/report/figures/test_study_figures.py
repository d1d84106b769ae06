"""Tests of figures: which are drawn, equal bytes for equal runs, and the numbers behind them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
import pytest

from benchmark.core.run_record import Failure
from benchmark.evaluation.scores import compute_gamma_curve, compute_seen_unseen_area
from benchmark.evaluation.stats import Interval
from benchmark.report.figures.gamma_curves import average_gamma_curves
from benchmark.report.figures.hiou_bars import draw_bars
from benchmark.report.figures.loss_curves import group_losses, smooth
from benchmark.report.figures.seen_unseen import draw_scatter
from benchmark.report.figures.shown_rows import OTHER_LIMITS
from benchmark.report.figures.study_figures import FIGURES, FigureJob, draw_all, draw_figures
from benchmark.report.figures.style import choose_colors, choose_markers, make_interval_handles
from benchmark.report.rows import read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import even, plan_of, save, spec_of, two_rows


def test_every_figure_is_drawn_and_repeats_to_the_byte(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    plan = two_rows(store)
    ids = {row.label: row.ids for row in plan.rows}
    for at in range(5):
        store.run(ids["paper"][0]).append_losses(at, {"pixel": 1 / (at + 1), "distill": 0.5})
    rows = read_rows(store, plan_of(ids | {"lost": {0: save(store, spec_of("lost"), Failure(kind="X", message="y"))}}))
    first, second = (
        draw_all(collect_results(rows), store, tmp_path / name, formats=["svg"]) for name in ("one", "two")
    )
    assert [path.name for path in first] == [
        f"{name}.svg"
        for name in ("hiou", "differences", "seen-unseen", "gamma", "classes", "class-differences", "losses")
    ]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_png_and_pdf_repeat_to_the_byte_and_hold_no_date(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = read_rows(store, two_rows(store))
    first, second = (draw_bars(rows, tmp_path / name) for name in ("one", "two"))
    assert [path.suffix for path in first] == [".png", ".pdf"]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert b"CreationDate" not in first[1].read_bytes() and b"Software" not in first[0].read_bytes()


def test_the_baseline_has_the_dashed_line_of_the_bars(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = read_rows(store, two_rows(store))
    none, first, other = (
        draw_bars(rows, tmp_path / f"{index}", baseline=row, formats=["svg"])[0].read_bytes()
        for index, row in enumerate((None, rows[0], rows[1]))
    )
    assert len({none, first, other}) == 3
    with pytest.raises(KeyError, match="no baseline 'no SDG'; did you mean 'no SGD'"):
        collect_results(rows, baseline="no SDG")


def test_legends_say_what_an_interval_covers(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {row.label: row.ids for row in two_rows(store).rows} | {"one": {0: save(store, spec_of("one"), even(50, 50))}}
    intervals = [row.estimates["hiou"].interval for row in read_rows(store, plan_of(ids))]
    handles = make_interval_handles([*intervals, None], color="black")
    assert [handle.get_label() for handle in handles] == [
        "95% interval\nover seeds and images",
        "95% interval\nover images",
    ]
    assert [handle.get_linestyle() for handle in handles] == ["-", ":"]


def test_intervals_of_one_line_have_one_entry_in_the_legend() -> None:
    def make(kind: str) -> Interval:
        return Interval(1.0, 2.0, 0.95, kind, df=3.0)

    kinds = ("splits and images", "splits, seeds and images", "images")
    assert [handle.get_label() for handle in make_interval_handles(map(make, kinds))] == [
        "95% interval\nover splits, seeds and images\nor, if deterministic, splits and images",
        "95% interval\nover images",
    ]


def test_a_study_without_results_has_only_the_figure_of_bars(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    rows = read_rows(store, plan_of({"never": {0: spec_of("never").id}}))
    assert [path.name for path in draw_all(collect_results(rows), store, tmp_path, formats=["svg"])] == ["hiou.svg"]


def test_figures_without_data_are_named_in_one_line_with_their_reasons(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    results = collect_results(read_rows(store, plan_of({"never": {0: spec_of("never").id}})))
    assert draw_figures(results, store, tmp_path, formats=["svg"]).left_out == [
        "figures left out: differences, class-differences (no row can be compared with the baseline); effect-by-split "
        "(no row is compared over several splits); seen-unseen (no row has a defined hIoU); gamma (no row has a "
        "defined hIoU and scores); settings (no two rows differ in one number alone); classes (no run is done); "
        "cost (no measured cost differs between rows); losses (no run has losses)"
    ]


def test_figures_of_too_many_rows_show_the_first_and_a_line_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "runs")
    shown: list[str] = []
    results = collect_results(read_rows(store, plan_of({name: {0: spec_of(name).id} for name in "abc"})))
    monkeypatch.setitem(FIGURES, "hiou", FIGURES["hiou"]._replace(draw=note_labels(shown)))
    monkeypatch.setitem(OTHER_LIMITS, "hiou", 2)
    _, line = draw_figures(results, store, tmp_path, formats=["svg"]).left_out
    assert line == "of 3 rows, the first 2 are in hiou: name fewer rows, or put others first by --sort"
    assert shown == ["a", "b"]


def note_labels(shown: list[str]) -> Callable[[FigureJob], list[Path]]:
    """Return a function that notes the rows that it is to draw."""

    def draw(job: FigureJob) -> list[Path]:
        shown.extend(row.label for row in job.group.rows)
        return [job.out / "hiou.svg"]

    return draw


def test_the_area_of_a_row_is_the_mean_of_its_runs_and_not_that_of_the_mean_curve(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {seed: save(store, spec_of(seed=seed), even(80 - 40 * seed, 20 + 40 * seed)) for seed in (0, 1)}
    both, one, other = (read_rows(store, plan_of({"row": part}))[0] for part in (ids, {0: ids[0]}, {1: ids[1]}))
    areas = [compute_seen_unseen_area(compute_gamma_curve(row.counts[0], "d2-main")) for row in (one, other)]
    assert average_gamma_curves(both)[1] == pytest.approx(np.mean(areas))


def test_drawing_leaves_the_settings_of_matplotlib_unchanged(tmp_path: Path) -> None:
    store, before = Store(tmp_path / "runs"), dict(matplotlib.rcParams)
    draw_scatter(read_rows(store, two_rows(store)), tmp_path, formats=["svg"])
    assert dict(matplotlib.rcParams) == before


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    with pytest.raises(ValueError, match=r"no figure format 'pgn'; did you mean 'png'\? There are: pdf, png, svg"):
        draw_bars(read_rows(store, two_rows(store)), tmp_path, formats=["pgn"])


def test_losses_are_grouped_at_iterations_that_all_runs_report() -> None:
    runs = [
        [{"iteration": at, "losses": {"b": 1.0 * at, "a": 2.0 + run}} for at in range(0, 6, 2 - run)] for run in (0, 1)
    ]
    losses = group_losses(runs)
    assert list(losses) == ["total", "b", "a"]
    iterations, values = losses["total"]
    assert iterations.tolist() == [0, 2, 4] and values.tolist() == [[2, 4, 6], [3, 5, 7]]


def test_a_loss_that_was_not_finite_is_a_gap() -> None:
    _, values = group_losses([[{"iteration": 0, "losses": {"a": None}}]])["a"]
    assert np.isnan(values).all()


def test_smoothing_keeps_a_line_and_its_length() -> None:
    line = np.arange(100.0)[None]
    assert smooth(line).shape == line.shape
    assert smooth(line)[0, 50] == 50 and smooth(np.array([[3.0]])).tolist() == [[3.0]]


def test_the_gamma_curve_is_the_mean_over_the_seeds(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ids = {seed: save(store, spec_of(seed=seed), even(80 + seed, 60)) for seed in (0, 1)}
    both, one, other = (read_rows(store, plan_of({"row": part}))[0] for part in (ids, {0: ids[0]}, {1: ids[1]}))
    assert np.array_equal(
        average_gamma_curves(both)[0],
        (average_gamma_curves(one)[0] + average_gamma_curves(other)[0]) / 2,
        equal_nan=True,
    )


def test_a_hundred_rows_have_different_looks() -> None:
    assert len(set(zip(choose_colors(100), choose_markers(100), strict=True))) == 100
