"""Figure of the trade-off between seen and unseen classes over the offset gamma, with the area below it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmark.evaluation.counts import GAMMAS, find_gamma
from benchmark.evaluation.scores import Floats, compute_gamma_curve, compute_seen_unseen_area
from benchmark.report.figures.captions import add_title
from benchmark.report.figures.hiou_levels import draw_levels, make_level_handle
from benchmark.report.figures.row_looks import RowLook, choose_looks
from benchmark.report.figures.style import (
    COLUMN_IN,
    DASHES,
    FORMATS,
    GRAY,
    MINUS,
    PAGE_IN,
    draw_grid,
    draw_legend_below,
    list_paths,
    open_figure,
)
from benchmark.report.result_row import ResultRow

LINEAR = 0.01
"""Offset up to which the axis of gamma is linear; beyond it is logarithmic, as most effects are at small offsets."""
TICKS = (-1.0, -0.1, 0.0, 0.1, 1.0)


@dataclass(frozen=True, eq=False)
class GammaCurve:
    """Scores of a row by gamma.

    Attributes:
        look: Look of the row.
        curve: (G, 4) as `compute_gamma_curve` returns it, averaged over the done runs of each split and over the
            splits.
        area: Area below seen against unseen, 0 to 100, averaged in the same way.
    """

    look: RowLook
    curve: Floats = field(repr=False)
    area: float


def draw_gamma(
    rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw the effect of an offset gamma, mean over the runs of a row: seen against unseen, and hIoU by gamma.

    The figure shows the range of outcomes and is no way to choose gamma: that would be tuning on the unseen test
    classes. Rows of imported labels, which have no scores, are left out.
    """
    curves = collect_gamma_curves(rows)
    if not curves:
        return []
    with open_figure(out, "gamma", size=(PAGE_IN, COLUMN_IN * 0.86), formats=formats) as figure:
        left, right = figure.subplots(1, 2)
        add_title(figure, rows, name=title)
        lines = [_draw_curve(left, right, curve) for curve in curves]
        left.set(xlabel="mIoU of unseen classes (%)", ylabel="mIoU of seen classes (%)", xlim=(0, None), ylim=(0, None))
        right.set(xlabel="offset gamma of the seen classes (swept, not chosen)", ylabel="hIoU (%)", ylim=(0, None))
        right.set_xscale("symlog", linthresh=LINEAR, linscale=0.5)
        right.set_xlim(float(GAMMAS[0]), float(GAMMAS[-1]))
        right.set_xticks(TICKS, [f"{tick:g}".replace("-", MINUS) for tick in TICKS])
        right.set_xticks([], minor=True)
        right.axvline(curves[0].look.row.gamma, color=GRAY, linewidth=0.6, linestyle=DASHES)
        draw_grid(right)
        draw_levels(left)
        draw_legend_below(figure, [*lines, _make_gamma_handle(), make_level_handle(), _make_area_handle()])
    return list_paths(out, "gamma", formats)


def collect_gamma_curves(rows: Sequence[ResultRow]) -> list[GammaCurve]:
    """Return the curves of the rows with a defined hIoU and scores of the classes."""
    looks = [look for look in choose_looks(rows) if not look.row.is_labels_only]
    return [GammaCurve(look, *average_gamma_curves(look.row)) for look in looks]


def average_gamma_curves(row: ResultRow) -> tuple[Floats, float]:
    """Return curve and area of a row, see `GammaCurve`; the counts of every run are swept once."""
    splits = [[compute_gamma_curve(run, row.convention) for run in side.counts] for side in row.sides.values()]
    curve = np.mean([np.mean(curves, axis=0) for curves in splits], axis=0)
    area = np.mean([np.mean([compute_seen_unseen_area(one) for one in curves]) for curves in splits])
    return np.asarray(curve), float(area)


def _draw_curve(left: Axes, right: Axes, curve: GammaCurve) -> Line2D:
    """Draw both curves of a row, with a marker at the gamma of its predictions, and return one for the legend."""
    gammas, seen, unseen, hiou = curve.curve.T
    label, color, marker, line = curve.look[1:]
    looks: dict[str, Any] = {"color": color, "marker": marker, "markersize": 4.5, "linewidth": 1, "linestyle": line}
    looks |= {"markevery": [find_gamma(curve.look.row.gamma)], "markeredgecolor": "white", "markeredgewidth": 0.4}
    left.plot(unseen, seen, **looks)
    (drawn,) = right.plot(gammas, hiou, label=f"{label}  {curve.area:.1f}", **looks)
    return drawn


def _make_gamma_handle() -> Line2D:
    return Line2D([], [], color=GRAY, linewidth=0.6, linestyle=DASHES, label="gamma of the runs")


def _make_area_handle() -> Line2D:
    text = "numbers: area below seen\nagainst unseen (0 to 100)"
    return Line2D([], [], linewidth=0, label=text)
