"""Figure of hIoU: a bar per row, a point per seed or per split, and the interval of the table."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmark.report.figures.captions import add_title, make_baseline_handle, mark_splits
from benchmark.report.figures.caution_marks import CautionMarks, list_intervals, number_cautions
from benchmark.report.figures.short_labels import wrap_labels
from benchmark.report.figures.style import (
    COLUMN_IN,
    DASHES,
    FORMATS,
    GRAY,
    INTERVAL_LINES,
    choose_colors,
    choose_hatches,
    draw_grid,
    draw_legend_below,
    list_paths,
    make_interval_handles,
    open_figure,
)
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow
from benchmark.report.tables.headers import describe_supervision

BarLook: TypeAlias = dict[str, Any]
BLANK: dict[str, Any] = {"facecolor": "white", "linewidth": 0, "pad": 1}
"""Background of a text, so that no line runs through it."""
VALUE: dict[str, Any] = {
    "xycoords": ("axes fraction", "data"),
    "textcoords": "offset points",
    "va": "center",
    "fontsize": 7,
    "annotation_clip": False,
}
"""Place of a number right of the axes, where nothing is drawn."""
POINT: dict[str, Any] = {"edgecolors": "black", "linewidths": 0.4, "zorder": 3, "s": 7}
POINT_KEY: dict[str, Any] = {"marker": "o", "markersize": 3, "markeredgecolor": "black", "markeredgewidth": 0.4}
"""Looks of the point of a seed, and of its key in the legend."""


def draw_bars(
    rows: Sequence[ResultRow],
    out: Path,
    *,
    baseline: ResultRow | None = None,
    title: str = "",
    formats: Sequence[str] = FORMATS,
) -> list[Path]:
    """Draw hIoU: a bar from 0 for the mean, points for seeds or splits, a line for the interval, dashes at a baseline.

    Args:
        rows: Rows.
        out: Folder of the files.
        baseline: Row whose mean has a dashed line; None for no line.
        title: Name of the split if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if there are results and hIoU is not defined in any.
    """
    means = [row.estimates["hiou"].mean if row.done else math.nan for row in rows]
    if all(map(math.isnan, means)) and any(row.done for row in rows):
        return []
    looks = _choose_looks(rows)
    with open_figure(out, "hiou", size=(COLUMN_IN, 0.9 + 0.23 * len(rows)), formats=formats) as figure:
        axes = figure.add_subplot()
        add_title(figure, rows, name=title)
        right = max([0.0, *(_find_right_end(row) for row in rows)]) or 1.0
        for y, (row, mean) in enumerate(zip(rows, means, strict=True)):
            if math.isnan(mean):
                text = "not defined" if row.done else row.state.value
                axes.annotate(text, (0, y), (4, 0), style="italic", bbox=BLANK, **VALUE | {"xycoords": "data"})
            else:
                _draw_bar(axes, row, y=y, look=looks[row.supervision])
                axes.annotate(f"{mean:.1f}", (1, y), (26, 0), ha="right", **VALUE)
        baselines = [row for row in rows if row is baseline and not math.isnan(means[rows.index(row)])]
        for row in baselines:
            axes.axvline(means[rows.index(row)], color=GRAY, linewidth=0.6, linestyle=DASHES, zorder=1.5)
        axes.set(xlim=(0, 1.03 * right), ylim=(len(rows) - 0.4, -0.6), xlabel="hIoU (%)")
        labels = zip(rows, wrap_labels([row.label for row in rows]), strict=True)
        marks = number_cautions(list_intervals(row, ["hiou"]) for row in rows)
        axes.set_yticks(range(len(rows)), [_mark_label(row, label, marks) for row, label in labels])
        axes.tick_params(axis="y", length=0)
        draw_grid(axes, axis="x")
        handles = [*_list_legend(rows, looks), *(make_baseline_handle(row, rows) for row in baselines)]
        handles += marks.make_handles()
        if handles:
            draw_legend_below(figure, handles, columns=2)
    return list_paths(out, "hiou", formats)


def _mark_label(row: ResultRow, label: str, marks: CautionMarks) -> str:
    return marks.mark(mark_splits(row, label), list_intervals(row, ["hiou"]))


def _draw_bar(axes: Axes, row: ResultRow, *, y: int, look: BarLook) -> None:
    mean, interval = row.estimates["hiou"]
    axes.barh(y, mean, height=0.66, **look)
    if interval is not None:
        line = INTERVAL_LINES[interval.kind]
        axes.plot([interval.low, interval.high], [y, y], color="black", linewidth=1, linestyle=line)
        axes.plot([interval.low, interval.high], [y, y], color="black", linewidth=0, marker="|", markersize=5)
    values = [value for value in row.select_scores("hiou") if not math.isnan(value)]
    if len(values) > 1:
        offsets = [0.2 * (2 * rank / (len(values) - 1) - 1) for rank in range(len(values))]
        axes.scatter(values, [y + offset for offset in offsets], color=[look["facecolor"]], **POINT)


def _find_right_end(row: ResultRow) -> float:
    """Return the largest hIoU drawn for a row; 0 if nothing is."""
    if not row.done:
        return 0.0
    mean, interval = row.estimates["hiou"]
    ends = [mean, *row.select_scores("hiou"), *([interval.high] if interval is not None else [])]
    return max((end for end in ends if not math.isnan(end)), default=0.0)


def _choose_looks(rows: Sequence[ResultRow]) -> dict[str, BarLook]:
    """Return color and hatching of the bars by kind of supervision, in the order of their first rows."""
    kinds = list(dict.fromkeys(row.supervision for row in rows if row.done))
    looks = zip(kinds, choose_colors(len(kinds)), choose_hatches(len(kinds)), strict=True)
    return {
        kind: {"facecolor": color, "hatch": hatch, "edgecolor": "white", "alpha": 0.5, "linewidth": 0}
        for kind, color, hatch in looks
    }


def _list_legend(rows: Sequence[ResultRow], looks: Mapping[str, BarLook]) -> list[Patch | Line2D]:
    """Return the legend of bars, lines and points; bars only if there are several kinds."""
    patches = [Patch(label=describe_supervision(kind), **look) for kind, look in looks.items()]
    handles: list[Patch | Line2D] = [*patches] if len(patches) > 1 else []
    estimates = [row.estimates["hiou"].interval for row in rows if row.done]
    handles += make_interval_handles(estimates, color="black", linewidth=1)
    if any(len(row.select_scores("hiou")) > 1 for row in rows if row.done):
        label = "one split" if any(isinstance(row, PooledRow) for row in rows) else "one seed"
        handles.append(Line2D([], [], linewidth=0, color="0.7", label=label, **POINT_KEY))
    return handles
