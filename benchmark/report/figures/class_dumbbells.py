"""Figure of single classes: the IoU of the baseline and of another row as the ends of a line per class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmark.evaluation.variation import TINY
from benchmark.report.figures.captions import add_title, mark_splits
from benchmark.report.figures.row_looks import has_hiou
from benchmark.report.figures.short_labels import shorten_labels, wrap_labels
from benchmark.report.figures.style import (
    DASHES,
    FORMATS,
    GRAY,
    PAGE_IN,
    choose_colors,
    draw_grid,
    draw_legend_below,
    list_paths,
    open_figure,
)
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow
from benchmark.report.study_results import GroupResults
from benchmark.report.tables.layout import UNSEEN_MARK

MAX_PANELS, MAX_CLASSES = 4, 40
"""Rows beside the baseline: those with the highest hIoU; and classes: those that differ most."""
CLASS_IN = 0.135
BETTER, WORSE = choose_colors(4)[0], choose_colors(4)[3]
A_POINT: dict[str, Any] = {"s": 14, "facecolors": "white", "edgecolors": GRAY, "linewidths": 0.8, "zorder": 3}
B_POINT: dict[str, Any] = {"s": 14, "linewidths": 0, "zorder": 4}
TIE_POINT: dict[str, Any] = {"s": 14, "linewidths": 0.8, "zorder": 4}
TIE_MARKER = "x"


@dataclass(frozen=True)
class ClassPair:
    """IoU of one class in one role, in percent; nan if it is not defined.

    Attributes:
        name: Name of the class, with a star where it is unseen.
        is_seen: Whether the IoU is that where the class is seen.
        a: IoU of the baseline.
        others: IoU of the other rows.
    """

    name: str
    is_seen: bool
    a: float
    others: tuple[float, ...]

    @property
    def largest(self) -> float:
        """Largest difference of another row, either way."""
        return max((abs(b - self.a) for b in self.others if not math.isnan(b)), default=0.0)


def draw_dumbbells(group: GroupResults, out: Path, *, title: str = "", formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw a panel per row that is compared with the baseline; the classes are the same lines in all panels.

    Args:
        group: Results of a group.
        out: Folder of the files.
        title: Name of the group if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none without a baseline and another row with results.
    """
    if group.baseline is None or not has_hiou(group.baseline):
        return []
    rows = choose_rows(group)
    pairs = collect_pairs(group.baseline, rows)
    if not rows or not pairs:
        return []
    size = (PAGE_IN if len(rows) > 1 else PAGE_IN * 0.6, 1.2 + CLASS_IN * len(pairs))
    labels = wrap_labels([mark_splits(row, row.label) for row in rows], width=22)
    with open_figure(out, "class-differences", size=size, formats=formats) as figure:
        add_title(figure, group.rows, name=title)
        panels = figure.subplots(1, len(rows), squeeze=False, sharey=True, sharex=True)[0]
        for index, (axes, label) in enumerate(zip(panels, labels, strict=True)):
            for y, pair in enumerate(pairs):
                _draw_pair(axes, pair.a, pair.others[index], y=y)
            _mark_unseen(axes, pairs)
            axes.set_title(label, fontsize=7)
            axes.set(xlabel="IoU (%)", xlim=(-3, 103), ylim=(len(pairs) - 0.4, -0.6))
            axes.tick_params(axis="y", length=0)
            draw_grid(axes, axis="x")
        names = shorten_labels([pair.name for pair in pairs], width=28)
        panels[0].set_yticks(range(len(pairs)), names, fontsize=6)
        baseline = shorten_labels([row.label for row in group.rows], width=26)[group.rows.index(group.baseline)]
        draw_legend_below(figure, _list_legend(group, rows, pairs, baseline=baseline))
    return list_paths(out, "class-differences", formats)


def choose_rows(group: GroupResults) -> list[ResultRow]:
    """Return the rows that are drawn beside the baseline, in the order of the table."""
    others = [row for row in group.rows if row is not group.baseline and has_hiou(row)]
    best = sorted(others, key=lambda row: -row.estimates["hiou"].mean)[:MAX_PANELS]
    return [row for row in others if row in best]


def collect_pairs(baseline: ResultRow, rows: Sequence[ResultRow]) -> list[ClassPair]:
    """Return the classes that have an IoU in the baseline: seen ones, then unseen ones, the highest IoU first."""
    names = baseline.counts[0].classes
    pairs = []
    for is_seen in (True, False):
        a = baseline.average_iou(is_seen=is_seen)
        others = [row.average_iou(is_seen=is_seen) for row in rows]
        for k, name in enumerate(names):
            if not math.isnan(a[k]):
                values = tuple(float(other[k]) for other in others)
                pairs.append(ClassPair(name + ("" if is_seen else UNSEEN_MARK), is_seen, float(a[k]), values))
    kept = sorted(pairs, key=lambda pair: -pair.largest)[:MAX_CLASSES]
    return sorted((pair for pair in pairs if pair in kept), key=lambda pair: (not pair.is_seen, -pair.a))


def _draw_pair(axes: Axes, a: float, b: float, *, y: int) -> None:
    axes.scatter(a, y, **A_POINT)
    if math.isnan(b):
        return
    if is_tie(a, b):
        axes.scatter(b, y, color=[GRAY], marker=TIE_MARKER, **TIE_POINT)
        return
    color = BETTER if b > a else WORSE
    axes.plot([a, b], [y, y], color=color, linewidth=1.4, alpha=0.6, solid_capstyle="butt")
    axes.scatter(b, y, color=[color], marker=">" if b > a else "<", **B_POINT)


def is_tie(a: float, b: float) -> bool:
    """Return whether two means of IoU are the same but for the rounding of their sums."""
    return abs(b - a) <= TINY


def _mark_unseen(axes: Axes, pairs: Sequence[ClassPair]) -> None:
    """Draw a line between seen and unseen classes."""
    number = sum(pair.is_seen for pair in pairs)
    if 0 < number < len(pairs):
        axes.axhline(number - 0.5, color=GRAY, linewidth=0.6, linestyle=DASHES)


def _list_legend(
    group: GroupResults, rows: Sequence[ResultRow], pairs: Sequence[ClassPair], *, baseline: str
) -> list[Line2D]:
    key: dict[str, Any] = {"linewidth": 0, "markersize": 4}
    unseen = f"{UNSEEN_MARK} unseen class" if group.baseline is not None else ""
    if any(isinstance(row, PooledRow) for row in rows):
        unseen = f"{UNSEEN_MARK} mean over the splits on\nwhich the class is unseen"
    handles = [
        Line2D([], [], marker="o", color="white", markeredgecolor=GRAY, label=f"baseline: {baseline}", **key),
        Line2D([], [], marker=">", color=BETTER, label="row of the panel, better", **key),
        Line2D([], [], marker="<", color=WORSE, label="row of the panel, worse", **key),
    ]
    if any(is_tie(pair.a, b) for pair in pairs for b in pair.others):
        handles.append(Line2D([], [], marker=TIE_MARKER, color=GRAY, label="row of the panel, equal", **key))
    handles += [Line2D([], [], linewidth=0, label=unseen)] if any(not pair.is_seen for pair in pairs) else []
    num_others = sum(row is not group.baseline and has_hiou(row) for row in group.rows)
    if num_others > len(rows):
        handles.append(Line2D([], [], linewidth=0, label=f"{len(rows)} of {num_others} rows: highest hIoU"))
    if len(pairs) == MAX_CLASSES:
        handles.append(Line2D([], [], linewidth=0, label=f"the {MAX_CLASSES} classes that differ most"))
    return handles
