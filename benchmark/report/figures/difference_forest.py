"""Forest plot: the difference of every row to the baseline with its interval, and the p value of the table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType

from benchmark.evaluation.stats import Interval
from benchmark.report.figures.captions import add_title, make_class_handles, mark_splits
from benchmark.report.figures.caution_marks import number_cautions
from benchmark.report.figures.short_labels import shorten_labels, wrap_labels
from benchmark.report.figures.style import (
    FORMATS,
    GRAY,
    INTERVAL_LINES,
    MINUS,
    PAGE_IN,
    choose_colors,
    draw_grid,
    draw_legend_below,
    list_paths,
    make_interval_handles,
    open_figure,
)
from benchmark.report.study_results import GroupResults
from benchmark.report.tables.layout import OTHER_CLASS_MARK
from benchmark.report.tables.numbers import format_difference, format_p_value

LINE_IN, TALL_LINE_IN = 0.2, 0.27
"""Height of a row, and of rows with labels of two lines."""
P_OFFSET = 100
"""Distance of the p values from the axes in points."""
COLOR = choose_colors(1)[0]
POINT: dict[str, Any] = {"s": 18, "linewidths": 0.9, "zorder": 3, "marker": "D"}
KEY: dict[str, Any] = {"marker": "D", "markersize": 4, "markeredgecolor": COLOR, "linewidth": 0}


@dataclass(frozen=True)
class ForestLine:
    """Difference of one row to the baseline, in points.

    Attributes:
        label: Label of the row.
        difference: Difference; nan without one.
        interval: Interval; None if there is none.
        p_adjusted: p value after Holm's correction; nan without one.
        is_within_class: Whether the row is of the protocol class of the baseline.
        reason: Reason why there is no difference; empty if there is one.
    """

    label: str
    difference: float = math.nan
    interval: Interval | None = None
    p_adjusted: float = math.nan
    is_within_class: bool = True
    reason: str = ""

    @property
    def is_decided(self) -> bool:
        """Whether the interval excludes 0."""
        return self.interval is not None and not self.interval.low <= 0 <= self.interval.high

    @property
    def color(self) -> ColorType:
        """Color of point and interval: gray if the row is of another protocol class than the baseline."""
        return COLOR if self.is_within_class else GRAY

    @property
    def ends(self) -> tuple[float, ...]:
        """Values that the axis must hold."""
        interval = () if self.interval is None else (self.interval.low, self.interval.high)
        return () if math.isnan(self.difference) else (self.difference, *interval)

    @property
    def text(self) -> str:
        """Difference and interval in words; the reason if there is no difference."""
        if self.reason:
            return self.reason
        texts = [format_difference(self.difference, digits=1)]
        if self.interval is not None:
            low, high = (format_difference(end, digits=1) for end in (self.interval.low, self.interval.high))
            texts.append(f"[{low}, {high}]")
        return " ".join(texts).replace("-", MINUS)


def draw_forest(group: GroupResults, out: Path, *, title: str = "", formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw the differences of hIoU to the baseline; a point is filled if its interval excludes 0.

    Args:
        group: Results of a group.
        out: Folder of the files.
        title: Name of the group if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if there is no difference to a baseline.
    """
    lines = collect_lines(group)
    if group.baseline is None or not any(line.ends for line in lines):
        return []
    short = wrap_labels([line.label for line in lines])
    marks = number_cautions([line.interval] for line in lines)
    labels = [marks.mark(text, [line.interval]) for text, line in zip(short, lines, strict=True)]
    line_in = TALL_LINE_IN if any("\n" in label for label in labels) else LINE_IN
    with open_figure(out, "differences", size=(PAGE_IN * 0.78, 1.0 + line_in * len(lines)), formats=formats) as figure:
        axes = figure.add_subplot()
        add_title(figure, group.rows, name=title)
        axes.axvline(0, color=GRAY, linewidth=0.6)
        for y, line in enumerate(lines):
            _draw_line(axes, line, y=y)
        _write_header(axes, "ΔhIoU [interval]", offset=6)
        if any(not math.isnan(line.p_adjusted) for line in lines):
            _write_header(axes, "p (Holm)", offset=P_OFFSET)
        baseline = shorten_labels([row.label for row in group.rows], width=30)[group.rows.index(group.baseline)]
        axes.set_yticks(range(len(lines)), labels)
        axes.tick_params(axis="y", length=0)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        axes.set(xlabel="ΔhIoU (points)", ylim=(len(lines) - 0.5, -0.5))
        draw_grid(axes, axis="x")
        draw_legend_below(figure, [*_list_legend(lines, baseline=baseline), *marks.make_handles()], columns=2)
    return list_paths(out, "differences", formats)


def collect_lines(group: GroupResults) -> list[ForestLine]:
    """Return a line per row but the baseline, in the order of the table; of rows without a difference, why."""
    lines = []
    for row, known in zip(group.rows, group.differences, strict=True):
        label = mark_splits(row, row.label)
        if row is group.baseline:
            continue
        if known is None:
            lines.append(ForestLine(label, reason="not defined" if row.done else row.state.value))
            continue
        interval = known.paired.interval if math.isfinite(known.paired.standard_error) else None
        label = label if known.is_within_class else f"{label} {OTHER_CLASS_MARK}"
        lines.append(ForestLine(label, known.paired.difference, interval, known.p_adjusted, known.is_within_class))
    return lines


def _draw_line(axes: Axes, line: ForestLine, *, y: int) -> None:
    if line.interval is not None:
        style = INTERVAL_LINES[line.interval.kind]
        axes.plot([line.interval.low, line.interval.high], [y, y], color=line.color, linewidth=1.2, linestyle=style)
    if line.ends:
        color = line.color if line.is_decided else "white"
        axes.scatter(line.difference, y, color=[color], edgecolors=[line.color], **POINT)
    slant = "normal" if line.is_within_class and not line.reason else "italic"
    _write(axes, line.text, y=y, offset=6, style=slant)
    if not math.isnan(line.p_adjusted):
        _write(axes, format_p_value(line.p_adjusted), y=y, offset=P_OFFSET, style=slant)


def _write(axes: Axes, text: str, *, y: float, offset: float, **looks: Any) -> None:
    """Write a text right of the axes, where nothing is drawn."""
    place: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
    axes.annotate(text, (1, y), (offset, 0), fontsize=7, annotation_clip=False, **place, **looks)


def _write_header(axes: Axes, text: str, *, offset: float) -> None:
    """Write the header of a column of texts above the axes."""
    place: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "annotation_clip": False}
    axes.annotate(text, (1, 1), (offset, 4), fontsize=7, va="bottom", **place)


def _list_legend(lines: Sequence[ForestLine], *, baseline: str) -> list[Line2D]:
    handles = [Line2D([], [], color=GRAY, linewidth=0.6, label=f"0: as {baseline}")]
    handles += make_interval_handles((line.interval for line in lines), color=COLOR, linewidth=1.2)
    if any(line.is_decided for line in lines):
        handles.append(Line2D([], [], color=COLOR, label="its interval excludes 0", **KEY))
    if any(line.ends and not line.is_decided for line in lines):
        handles.append(Line2D([], [], color="white", label="its interval contains 0", **KEY))
    return handles + make_class_handles(all(line.is_within_class for line in lines), baseline=baseline)
