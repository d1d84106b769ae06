"""Figure of seen against unseen classes: rows as points over lines of equal hIoU, and published numbers beside them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.lines import Line2D

from benchmark.evaluation.scores import Metric
from benchmark.report.figures.captions import add_title
from benchmark.report.figures.caution_marks import CautionMarks, list_intervals, number_cautions
from benchmark.report.figures.hiou_levels import draw_levels, make_level_handle
from benchmark.report.figures.published_points import NO_POINTS, PublishedPoints
from benchmark.report.figures.row_looks import RowLook, choose_looks
from benchmark.report.figures.style import (
    COLUMN_IN,
    FORMATS,
    GRAY,
    INTERVAL_LINES,
    PAGE_IN,
    choose_markers,
    draw_legend,
    list_paths,
    make_interval_handles,
    measure_legend,
    open_figure,
)
from benchmark.report.result_row import ResultRow

ENTRY_IN, AXES_LABELS_IN = 0.175, 0.5
"""Height of a line of the legend beside the points, and width of the labels on their other side."""
SIDES: tuple[Metric, Metric] = ("miou_seen", "miou_unseen")
PUBLISHED: dict[str, Any] = {"markersize": 4.5, "color": "none", "markeredgecolor": GRAY, "linestyle": "none"}
"""Look of a published number: hollow and gray, with a thin edge."""


def draw_scatter(
    rows: Sequence[ResultRow],
    out: Path,
    *,
    title: str = "",
    published: PublishedPoints = NO_POINTS,
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw mIoU of seen against unseen classes, one point per row with its intervals, over lines of equal hIoU.

    Args:
        rows: Rows.
        out: Folder of the files.
        title: Name of the split if there are figures of several.
        published: Published numbers on the same split, which are hollow and gray and have no intervals.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if hIoU is not defined in any row.
    """
    shown = choose_looks(rows)
    if not shown:
        return []
    with open_figure(out, "seen-unseen", size=(PAGE_IN * 0.78, COLUMN_IN * 0.9), formats=formats) as figure:
        axes = figure.add_subplot()
        others = _draw_published(axes, published)
        marks = number_cautions(list_intervals(look.row, SIDES) for look in shown)
        points = [_draw_point(axes, look, marks) for look in shown]
        axes.margins(0.12)
        axes.set(xlim=(max(0.0, axes.get_xlim()[0]), None), ylim=(max(0.0, axes.get_ylim()[0]), None))
        axes.set(xlabel="mIoU of unseen classes (%)", ylabel="mIoU of seen classes (%)")
        draw_levels(axes)
        drawn = [look.row.estimates[side].interval for look in shown for side in SIDES]
        intervals = make_interval_handles(drawn, color=GRAY, linewidth=0.8)
        handles = [*points, *intervals, *marks.make_handles(), *others, make_level_handle()]
        lines = 2 + sum(str(handle.get_label()).count("\n") + 1 for handle in handles)
        figure.set_figheight(max(figure.get_figheight(), 0.1 + ENTRY_IN * lines))
        add_title(axes, rows, name=title, width_in=figure.get_figwidth() - AXES_LABELS_IN - measure_legend(handles))
        draw_legend(figure, handles, loc="outside right upper", title="row and its hIoU", alignment="left")
    return list_paths(out, "seen-unseen", formats)


def _draw_point(axes: Axes, look: RowLook, marks: CautionMarks) -> PathCollection:
    """Draw the point of a row with its intervals, and return its handle for the legend."""
    row = look.row
    unseen, seen = row.estimates["miou_unseen"], row.estimates["miou_seen"]
    line: dict[str, Any] = {"color": look.color, "linewidth": 0.8, "alpha": 0.7}
    for interval in (unseen.interval, seen.interval):
        if interval is not None:
            draw, at = (axes.hlines, seen.mean) if interval is unseen.interval else (axes.vlines, unseen.mean)
            draw(at, interval.low, interval.high, linestyle=INTERVAL_LINES[interval.kind], **line)
    label = marks.mark(f"{look.label}  {row.estimates['hiou'].mean:.1f}", list_intervals(row, SIDES))
    looks: dict[str, Any] = {"s": 28, "color": [look.color], "marker": look.marker, "edgecolors": "white"}
    return axes.scatter(unseen.mean, seen.mean, label=label, zorder=3, linewidths=0.5, **looks)


def _draw_published(axes: Axes, published: PublishedPoints) -> list[Line2D]:
    """Draw published numbers and return their legend entries, with a heading in front."""
    if not published.points:
        return []
    handles = [Line2D([], [], linewidth=0, label=published.heading)]
    for point, marker in zip(published.points, choose_markers(len(published.points)), strict=True):
        (line,) = axes.plot(point.unseen, point.seen, marker=marker, label=point.label, zorder=2.5, **PUBLISHED)
        handles.append(line)
    return handles
