"""Tests of the words on figures: limits, the baseline, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmark.report.figures.captions import add_title, describe_limit, make_baseline_handle
from benchmark.report.figures.study_figures import describe_left_out, draw_all
from benchmark.report.rows import Row, read_rows
from benchmark.report.study_results import collect_results
from benchmark.store.store import Store
from tests.report.world import even, hand_counts, plan_of, save, spec_of, two_rows


def make_row(store: Store, *, seeds: int, max_images: int = 0) -> Row:
    """Return a row whose scores differ between seeds and images."""
    ids = {}
    for seed in range(seeds):
        counts = hand_counts([[80 + seed, 80, 60 + image, 50 + seed + image] for image in range(4)])
        ids[seed] = save(store, spec_of(seed=seed, max_images=max_images), counts)
    return read_rows(store, plan_of({"row": ids}))[0]


@pytest.mark.parametrize(("max_images", "text"), [(0, ""), (4, "TESTING ONLY: first 4 images of the evaluation set")])
def test_a_limited_evaluation_is_the_title_of_a_figure(tmp_path: Path, max_images: int, text: str) -> None:
    row = make_row(Store(tmp_path), seeds=1, max_images=max_images)
    assert describe_limit([row]) == text
    figure = Figure()
    axes = figure.add_subplot()
    add_title(figure, [row])
    add_title(axes, [row])
    assert (figure.get_suptitle(), axes.get_title()) == (text, text)


def test_the_dashed_line_is_named_after_the_baseline(tmp_path: Path) -> None:
    rows = read_rows(Store(tmp_path), two_rows(Store(tmp_path)))
    handle = make_baseline_handle(rows[1], rows)
    assert (handle.get_label(), handle.get_linestyle()) == ("baseline: no SGD", "--")


def test_without_unseen_classes_figures_of_hiou_are_left_out_with_one_line(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    counts = replace(even(80, 60), seen=(True,) * 4)
    rows = read_rows(store, plan_of({"row": {0: save(store, spec_of(), counts)}}))
    assert [path.name for path in draw_all(collect_results(rows), store, tmp_path, formats=["svg"])] == ["classes.svg"]
    assert describe_left_out(collect_results(rows)) == [
        "mIoU(U) and hIoU are not defined: no unseen class occurs in the targets of the scored images; "
        "so there is no figure of hIoU, seen against unseen, and gamma."
    ]


def test_the_title_beside_a_legend_is_wrapped_to_its_axes_and_clears_texts_above_them(tmp_path: Path) -> None:
    row = make_row(Store(tmp_path), seeds=1, max_images=4)
    figure = Figure(figsize=(7, 2))
    axes = figure.add_subplot()
    add_title(axes, [row], width_in=2.0)
    assert axes.get_title() == "TESTING ONLY: first 4 images of\nthe evaluation set"
    assert figure.get_figheight() > 2
    FigureCanvasAgg(figure).draw()
    bottom = axes.title.get_window_extent().y0 - axes.get_window_extent().y1
    assert bottom * 72 / figure.dpi >= 9  # points: a level of hIoU there has 6 and an offset of 2
