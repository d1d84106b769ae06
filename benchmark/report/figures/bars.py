"""hIoU of every row as a bar, with every seed as a point and the interval the table gives."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from benchmark.evaluation.stats import Interval
from benchmark.report.figures.style import COLUMN_IN, FORMATS, GREY, colours, drawing, grid, paths, wrapped
from benchmark.report.rows import Row

LINES: dict[str, Literal["-", ":"]] = {"seeds": "-", "images": ":"}
ROOM = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}
"""Behind a number, so that no line runs through it."""
LOOKS = {"seeds": "over seeds", "images": "over images"}


def draw_bars(rows: Sequence[Row], out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw hIoU: a bar from 0 for the mean, points for seeds, a line for the 95 % interval, dashes at the first row."""
    colour_of = _colour_of(rows)
    with drawing(out, "hiou", size=(COLUMN_IN, 0.9 + 0.23 * len(rows)), formats=formats) as figure:
        axes = figure.add_subplot()
        means = [row.estimates["hiou"].mean if row.done else math.nan for row in rows]
        right = max([0.0, *(_rightmost(row) for row in rows)]) or 1.0
        for at, (row, mean) in enumerate(zip(rows, means, strict=True)):
            if math.isnan(mean):
                axes.text(
                    0.01 * right, at, "not defined" if row.done else row.state, va="center", style="italic", fontsize=7
                )
            else:
                _bar(axes, row, at=at, colour=colour_of[row.supervision])
        if not math.isnan(means[0]):
            axes.axvline(means[0], color=GREY, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1.5)
        axes.set(xlim=(0, 1.16 * right), ylim=(len(rows) - 0.4, -0.6), xlabel="hIoU (%)")
        axes.set_yticks(range(len(rows)), [wrapped(row.label) for row in rows])
        axes.tick_params(axis="y", length=0)
        grid(axes, axis="x")
        handles = _legend(rows, colour_of)
        if handles:
            figure.legend(handles=handles, loc="outside lower center", ncols=2, handlelength=1.6, columnspacing=1.2)
    return paths(out, "hiou", formats)


def _bar(axes: Axes, row: Row, *, at: int, colour: tuple[float, float, float]) -> None:
    mean, interval = row.estimates["hiou"]
    axes.barh(at, mean, height=0.66, color=colour, alpha=0.45, linewidth=0)
    if interval is not None:
        axes.plot([interval.low, interval.high], [at, at], color="black", linewidth=1, linestyle=LINES[interval.kind])
        axes.plot([interval.low, interval.high], [at, at], color="black", linewidth=0, marker="|", markersize=5)
    values = [value for value in row.values("hiou") if not math.isnan(value)]
    if len(values) > 1:
        offsets = [0.2 * (2 * rank / (len(values) - 1) - 1) for rank in range(len(values))]
        axes.scatter(
            values,
            [at + offset for offset in offsets],
            s=7,
            color=[colour],
            edgecolors="black",
            linewidths=0.4,
            zorder=3,
        )
    axes.annotate(
        f"{mean:.1f}", (_rightmost(row), at), (4, 0), textcoords="offset points", va="center", fontsize=7, bbox=ROOM
    )


def _rightmost(row: Row) -> float:
    """Where the last thing drawn of a row ends."""
    if not row.done:
        return 0.0
    mean, interval = row.estimates["hiou"]
    ends = [mean, *row.values("hiou"), *([interval.high] if interval is not None else [])]
    return max((end for end in ends if not math.isnan(end)), default=0.0)


def _colour_of(rows: Sequence[Row]) -> dict[str, tuple[float, float, float]]:
    """One colour a supervision class, in the order of their first rows."""
    classes = list(dict.fromkeys(row.supervision for row in rows))
    return dict(zip(classes, colours(len(classes)), strict=True))


def _legend(rows: Sequence[Row], colour_of: dict[str, tuple[float, float, float]]) -> list[Patch | Line2D]:
    """What bars and lines mean; the colours only where there are several."""
    named = [name for name in colour_of if name]
    classes = named if len(named) > 1 else []
    handles: list[Patch | Line2D] = [
        Patch(color=colour_of[name], alpha=0.45, linewidth=0, label=name) for name in classes
    ]
    intervals: list[Interval] = [
        one for row in rows if row.done and (one := row.estimates["hiou"].interval) is not None
    ]
    for kind in dict.fromkeys(one.kind for one in intervals):
        label = f"{intervals[0].level:.0%} interval {LOOKS[kind]}"
        handles.append(Line2D([], [], color="black", linewidth=1, linestyle=LINES[kind], label=label))
    if any(len(row.done) > 1 for row in rows):
        handles.append(
            Line2D(
                [],
                [],
                linewidth=0,
                marker="o",
                markersize=3,
                color="0.7",
                markeredgecolor="black",
                markeredgewidth=0.4,
                label="one seed",
            )
        )
    return handles
