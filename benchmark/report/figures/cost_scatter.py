"""Figure of cost against hIoU: a panel per cost, a point per row, and a line through the rows that no other beats."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, NullFormatter

from benchmark.core.run_record import Cost
from benchmark.report.figures.captions import add_title, mark_splits
from benchmark.report.figures.short_labels import shorten_labels
from benchmark.report.figures.style import (
    COLUMN_IN,
    DASHES,
    FORMATS,
    GRAY,
    PAGE_IN,
    choose_colors,
    choose_markers,
    draw_grid,
    draw_legend_below,
    list_paths,
    open_figure,
)
from benchmark.report.result_row import ResultRow

WIDE = 20.0
"""Ratio of the largest to the smallest cost above 0 from which the axis is logarithmic."""


NEARLY_NOTHING = 1e-3
"""Share of the largest cost up to which a cost counts as none, such as the time of a training without iterations."""


class CostAxis(NamedTuple):
    """A cost: label of its axis, and its value, None if it was not measured."""

    label: str
    read: Callable[[Cost], float | None]


AXES = (
    CostAxis("training (min)", lambda cost: cost.train_seconds / 60),
    CostAxis("prediction (ms per image)", lambda cost: cost.latency_ms),
    CostAxis("GFLOPs per image", lambda cost: None if cost.inference_flops is None else cost.inference_flops / 1e9),
)
"""Costs that have a panel if two rows have them."""


def draw_costs(
    rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw hIoU against each cost that was measured.

    Args:
        rows: Rows.
        out: Folder of the files.
        title: Name of the split if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if no cost is known of two rows.
    """
    values = {axis.label: [_read_point(row, axis) for row in rows] for axis in AXES}
    shown = {label: points for label, points in values.items() if sum(point is not None for point in points) > 1}
    if not shown:
        return []
    drawn = [index for index in range(len(rows)) if any(points[index] is not None for points in shown.values())]
    colors, markers = choose_colors(len(rows)), choose_markers(len(rows))
    labels = shorten_labels([row.label for row in rows])
    with open_figure(out, "cost", size=(PAGE_IN, COLUMN_IN * 0.8), formats=formats) as figure:
        add_title(figure, rows, name=title)
        panels = figure.subplots(1, len(shown), squeeze=False, sharey=True)[0]
        for axes, (label, points) in zip(panels, shown.items(), strict=True):
            for index, point in enumerate(points):
                if point is not None:
                    axes.plot(*point, color=colors[index], marker=markers[index], markersize=5, linewidth=0)
            front = find_front([point for point in points if point is not None])
            axes.plot(
                *zip(*front, strict=True), color=GRAY, linewidth=0.8, linestyle=DASHES, drawstyle="steps-post", zorder=1
            )
            _scale(axes, [point[0] for point in points if point is not None])
            axes.set_xlabel(label)
            draw_grid(axes)
        panels[0].set_ylabel("hIoU (%)")
        handles = [
            Line2D(
                [],
                [],
                linewidth=0,
                color=colors[index],
                marker=markers[index],
                markersize=4,
                label=mark_splits(rows[index], labels[index]),
            )
            for index in drawn
        ]
        front_key = Line2D([], [], color=GRAY, linewidth=0.8, linestyle=DASHES, label="no row is cheaper and better")
        draw_legend_below(figure, [*handles, front_key])
    return list_paths(out, "cost", formats)


def find_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the points of cost and score that no point of at most their cost is better than, by ascending cost."""
    front: list[tuple[float, float]] = []
    for cost, score in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or score > front[-1][1]:
            front.append((cost, score))
    return front


def _read_point(row: ResultRow, axis: CostAxis) -> tuple[float, float] | None:
    """Return the cost and hIoU of a row; None if one of them is not known."""
    cost = None if row.cost is None else axis.read(row.cost)
    hiou = row.estimates["hiou"].mean if row.done else math.nan
    return None if cost is None or math.isnan(hiou) else (cost, hiou)


def _scale(axes: Axes, costs: Sequence[float]) -> None:
    """Choose a linear axis from 0, or a logarithmic one if costs are far apart; costs near 0 stand left of its tens."""
    large = [cost for cost in costs if cost > NEARLY_NOTHING * max(costs)]
    if not large or max(large) / min(large) < WIDE:
        axes.set_xlim(-0.04 * max(costs), None)
        return
    if len(large) < len(costs):
        axes.set_xscale("symlog", linthresh=min(large), subs=(2, 5))
    else:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
