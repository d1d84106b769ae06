"""Seen against unseen classes: where the rows stand, and where an offset gamma of the seen classes would take them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.evaluation.counts import GAMMAS, gamma_index
from benchmark.evaluation.scores import Floats, gamma_curve
from benchmark.report.figures.style import (
    COLUMN_IN,
    FORMATS,
    GREY,
    PAGE_IN,
    PALE,
    colours,
    drawing,
    grid,
    markers,
    paths,
    shortened,
)
from benchmark.report.rows import Row

LEVELS = range(10, 100, 10)


def draw_scatter(rows: Sequence[Row], out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw mIoU of unseen against seen classes, one point a row with its intervals, over lines of equal hIoU."""
    shown = list(zip(rows, colours(len(rows)), markers(len(rows)), strict=True))
    shown = [(row, colour, marker) for row, colour, marker in shown if _is_placed(row)]
    if not shown:
        return []
    with drawing(out, "seen-unseen", size=(PAGE_IN * 0.78, COLUMN_IN * 0.9), formats=formats) as figure:
        axes = figure.add_subplot()
        for row, colour, marker in shown:
            _point(axes, row, colour=colour, marker=marker)
        axes.margins(0.12)
        axes.set(xlabel="mIoU of unseen classes (%)", ylabel="mIoU of seen classes (%)")
        _level_lines(axes)
        handles = [*axes.get_legend_handles_labels()[0], _level_key()]
        figure.legend(handles=handles, loc="outside right upper", title="row and its hIoU", alignment="left")
    return paths(out, "seen-unseen", formats)


def draw_gamma(rows: Sequence[Row], out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw what an offset gamma would do, mean over the runs of a row: seen against unseen, and hIoU by gamma.

    A figure of what is possible, not a way to choose gamma: that would be tuning on the unseen test classes.
    """
    shown = list(zip(rows, colours(len(rows)), markers(len(rows)), strict=True))
    shown = [(row, colour, marker) for row, colour, marker in shown if _is_placed(row)]
    if not shown:
        return []
    with drawing(out, "gamma", size=(PAGE_IN, COLUMN_IN * 0.86), formats=formats) as figure:
        left, right = figure.subplots(1, 2)
        for row, colour, marker in shown:
            at = gamma_index(row.gamma)
            _curves(left, right, mean_curve(row), at=at, colour=colour, marker=marker, label=shortened(row.label))
        left.set(xlabel="mIoU of unseen classes (%)", ylabel="mIoU of seen classes (%)", xlim=(0, None), ylim=(0, None))
        right.set(xlabel="offset gamma of the seen classes (swept, not chosen)", ylabel="hIoU (%)", ylim=(0, None))
        right.set_xlim(float(GAMMAS[0]), float(GAMMAS[-1]))
        right.axvline(shown[0][0].gamma, color=GREY, linewidth=0.6, linestyle=(0, (4, 3)))
        grid(right)
        _level_lines(left)
        _legend_below(figure, [*right.get_legend_handles_labels()[0], _level_key()])
    return paths(out, "gamma", formats)


def mean_curve(row: Row) -> Floats:
    """(G, 4) `gamma_curve`, averaged over the runs of a row that are done."""
    return np.asarray(np.mean([gamma_curve(counts, row.convention) for counts in row.counts], axis=0))


def _is_placed(row: Row) -> bool:
    return bool(row.done) and not math.isnan(row.estimates["hiou"].mean)


def _point(axes: Axes, row: Row, *, colour: tuple[float, float, float], marker: str) -> None:
    unseen, seen = row.estimates["miou_unseen"], row.estimates["miou_seen"]
    if unseen.interval is not None:
        axes.hlines(seen.mean, unseen.interval.low, unseen.interval.high, color=colour, linewidth=0.8, alpha=0.7)
    if seen.interval is not None:
        axes.vlines(unseen.mean, seen.interval.low, seen.interval.high, color=colour, linewidth=0.8, alpha=0.7)
    label = f"{shortened(row.label)}  {row.estimates['hiou'].mean:.1f}"
    axes.scatter(
        unseen.mean,
        seen.mean,
        s=28,
        color=[colour],
        marker=marker,
        edgecolors="white",
        linewidths=0.5,
        label=label,
        zorder=3,
    )


def _curves(
    left: Axes, right: Axes, curve: Floats, *, at: int, colour: tuple[float, float, float], marker: str, label: str
) -> None:
    """Both curves of a row, with its marker where it was counted; at: index among the gammas."""
    gammas, seen, unseen, hiou = curve.T
    left.plot(unseen, seen, color=colour, linewidth=1, marker=marker, markevery=[at], markersize=4.5)
    right.plot(gammas, hiou, color=colour, linewidth=1, marker=marker, markevery=[at], markersize=4.5, label=label)


def _level_lines(axes: Axes) -> None:
    """Lines of equal hIoU through what is shown, each with its value where it enters from above or from the left."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    for level in LEVELS:
        pole = level / 2  # where the other side is infinite
        entry = level * top / (2 * top - level) if top > pole else right
        start = max(left, entry)
        if start >= right:
            continue
        unseen = pole + np.geomspace(start - pole, right - pole, 200)
        seen = level * unseen / (2 * unseen - level)
        if seen[0] < bottom:
            continue
        inside = seen >= bottom
        axes.plot(unseen[inside], seen[inside], color=PALE, linewidth=0.6, zorder=0)
        _level_text(axes, f"{level}", (unseen[0], seen[0]), is_above=entry >= left)
    axes.set(xlim=(left, right), ylim=(bottom, top))


def _level_text(axes: Axes, text: str, at: tuple[float, float], *, is_above: bool) -> None:
    offset, across = ((0, 2), "center") if is_above else ((2, 2), "left")
    axes.annotate(
        text,
        at,
        offset,
        textcoords="offset points",
        ha=across,
        va="bottom",
        color="0.55",
        fontsize=6,
        annotation_clip=False,
    )


def _level_key() -> Line2D:
    return Line2D([], [], color=PALE, linewidth=0.8, label="equal hIoU (%)")


def _legend_below(figure: Figure, handles: Sequence[Artist]) -> None:
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(4, len(handles)), columnspacing=1.2, handlelength=1.6
    )
