"""Figures of seen against unseen classes: rows as points, and as curves over the offset gamma of the seen classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from benchmark.evaluation.counts import GAMMAS, find_gamma
from benchmark.evaluation.scores import Floats, Metric, compute_gamma_curve
from benchmark.report.figures.captions import add_title, flag_label, make_flag_handles, mark_splits
from benchmark.report.figures.short_labels import shorten_labels
from benchmark.report.figures.style import (
    COLUMN_IN,
    DASHES,
    FORMATS,
    GRAY,
    INTERVAL_LINES,
    PAGE_IN,
    PALE,
    choose_colors,
    choose_markers,
    draw_grid,
    draw_legend,
    draw_legend_below,
    list_paths,
    make_interval_handles,
    measure_legend,
    open_figure,
)
from benchmark.report.result_row import ResultRow

SHORTEST = 0.005
"""Shortest line of equal hIoU that is drawn if it enters from the left, as a share of the width."""
LEVELS = range(10, 100, 10)
ENTRY_IN, AXES_LABELS_IN = 0.175, 0.5
"""Height of a line of the legend beside the points, and width of the labels on their other side."""
SIDES: tuple[Metric, Metric] = ("miou_seen", "miou_unseen")


def draw_scatter(
    rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw mIoU of unseen against seen classes, one point per row with its intervals, over lines of equal hIoU."""
    shown = _choose_looks(rows)
    if not shown:
        return []
    with open_figure(out, "seen-unseen", size=(PAGE_IN * 0.78, COLUMN_IN * 0.9), formats=formats) as figure:
        axes = figure.add_subplot()
        points = [
            _draw_point(axes, row, label=label, color=color, marker=marker) for row, label, color, marker in shown
        ]
        axes.margins(0.12)
        axes.set(xlim=(max(0.0, axes.get_xlim()[0]), None), ylim=(max(0.0, axes.get_ylim()[0]), None))
        axes.set(xlabel="mIoU of unseen classes (%)", ylabel="mIoU of seen classes (%)")
        draw_levels(axes)
        drawn = [row.estimates[side].interval for row, *_ in shown for side in SIDES]
        intervals = make_interval_handles(drawn, color=GRAY, linewidth=0.8)
        flags = make_flag_handles([row for row, *_ in shown], SIDES)
        handles = [*points, *intervals, *flags, _make_level_handle()]
        lines = 2 + sum(str(handle.get_label()).count("\n") + 1 for handle in handles)
        figure.set_figheight(max(figure.get_figheight(), 0.1 + ENTRY_IN * lines))
        add_title(axes, rows, name=title, width_in=figure.get_figwidth() - AXES_LABELS_IN - measure_legend(handles))
        draw_legend(figure, handles, loc="outside right upper", title="row and its hIoU", alignment="left")
    return list_paths(out, "seen-unseen", formats)


def draw_gamma(
    rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw the effect of an offset gamma, mean over the runs of a row: seen against unseen, and hIoU by gamma.

    The figure shows the range of outcomes and is no way to choose gamma: that would be tuning on the unseen test
    classes. Rows of imported labels, which have no scores, are left out.
    """
    shown = [look for look in _choose_looks(rows) if not look[0].is_labels_only]
    if not shown:
        return []
    with open_figure(out, "gamma", size=(PAGE_IN, COLUMN_IN * 0.86), formats=formats) as figure:
        left, right = figure.subplots(1, 2)
        add_title(figure, rows, name=title)
        lines: list[Line2D] = []
        for row, label, color, marker in shown:
            index, curve = find_gamma(row.gamma), average_gamma_curve(row)
            lines.append(_draw_curves(left, right, curve, index=index, color=color, marker=marker, label=label))
        left.set(xlabel="mIoU of unseen classes (%)", ylabel="mIoU of seen classes (%)", xlim=(0, None), ylim=(0, None))
        right.set(xlabel="offset gamma of the seen classes (swept, not chosen)", ylabel="hIoU (%)", ylim=(0, None))
        right.set_xlim(float(GAMMAS[0]), float(GAMMAS[-1]))
        right.axvline(shown[0][0].gamma, color=GRAY, linewidth=0.6, linestyle=DASHES)
        draw_grid(right)
        draw_levels(left)
        draw_legend_below(figure, [*lines, _make_gamma_handle(), _make_level_handle()])
    return list_paths(out, "gamma", formats)


def average_gamma_curve(row: ResultRow) -> Floats:
    """Return the (G, 4) `compute_gamma_curve`, averaged over the done runs of each split and over the splits."""
    curves = [
        np.mean([compute_gamma_curve(counts, row.convention) for counts in side.counts], axis=0)
        for side in row.sides.values()
    ]
    return np.asarray(np.mean(curves, axis=0))


def _choose_looks(rows: Sequence[ResultRow]) -> list[tuple[ResultRow, str, tuple[float, float, float], str]]:
    """Return the rows with a defined hIoU, each with its short label, color and marker."""
    short = shorten_labels([row.label for row in rows])
    labels = [mark_splits(row, label) for row, label in zip(rows, short, strict=True)]
    looks = zip(rows, labels, choose_colors(len(rows)), choose_markers(len(rows)), strict=True)
    return [look for look in looks if look[0].done and not math.isnan(look[0].estimates["hiou"].mean)]


def _draw_point(
    axes: Axes, row: ResultRow, *, label: str, color: tuple[float, float, float], marker: str
) -> PathCollection:
    """Draw the point of a row with its intervals, and return its handle for the legend."""
    unseen, seen = row.estimates["miou_unseen"], row.estimates["miou_seen"]
    line: dict[str, Any] = {"color": color, "linewidth": 0.8, "alpha": 0.7}
    for interval in (unseen.interval, seen.interval):
        if interval is not None:
            draw, at = (axes.hlines, seen.mean) if interval is unseen.interval else (axes.vlines, unseen.mean)
            draw(at, interval.low, interval.high, linestyle=INTERVAL_LINES[interval.kind], **line)
    label = flag_label(row, SIDES, f"{label}  {row.estimates['hiou'].mean:.1f}")
    looks: dict[str, Any] = {"s": 28, "color": [color], "marker": marker, "edgecolors": "white", "linewidths": 0.5}
    return axes.scatter(unseen.mean, seen.mean, label=label, zorder=3, **looks)


def _draw_curves(
    left: Axes, right: Axes, curve: Floats, *, index: int, color: tuple[float, float, float], marker: str, label: str
) -> Line2D:
    """Draw both curves of a row, with a marker at the gamma of its predictions, and return one for the legend.

    Args:
        left: Axes of seen against unseen.
        right: Axes of hIoU by gamma.
        curve: (G, 4) as `compute_gamma_curve` returns it.
        index: Index of the marker.
        color: Color of the curves.
        marker: Marker.
        label: Label of the row.
    """
    gammas, seen, unseen, hiou = curve.T
    looks: dict[str, Any] = {"color": color, "marker": marker, "markevery": [index], "markersize": 4.5}
    left.plot(unseen, seen, linewidth=1, **looks)
    (line,) = right.plot(gammas, hiou, linewidth=1, label=label, **looks)
    return line


def draw_levels(axes: Axes) -> None:
    """Draw lines of equal hIoU, each with its value where the line enters from above or from the left."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for level in LEVELS:
        pole = level / 2  # here the other side is infinite
        entry = level * top / (2 * top - level) if top > pole else right
        end = min(right, level * bottom / (2 * bottom - level)) if bottom > pole else right
        start = max(left, entry)
        if end <= start or (entry < left and end - start < SHORTEST * (right - left)):
            continue
        unseen = pole + np.geomspace(start - pole, end - pole, 200)
        seen = level * unseen / (2 * unseen - level)
        axes.plot(unseen, seen, color=PALE, linewidth=0.6, zorder=0)
        _draw_level_text(axes, f"{level}", (unseen[0], seen[0]), is_above=entry >= left)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _draw_level_text(axes: Axes, text: str, point: tuple[float, float], *, is_above: bool) -> None:
    offset, across = ((0, 2), "center") if is_above else ((2, 2), "left")
    looks: dict[str, Any] = {"color": "0.55", "fontsize": 6, "annotation_clip": False}
    axes.annotate(text, point, offset, textcoords="offset points", ha=across, va="bottom", **looks)


def _make_level_handle() -> Line2D:
    return Line2D([], [], color=PALE, linewidth=0.8, label="equal hIoU (%)")


def _make_gamma_handle() -> Line2D:
    return Line2D([], [], color=GRAY, linewidth=0.6, linestyle=DASHES, label="gamma of the runs")
