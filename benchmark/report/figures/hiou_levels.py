"""Lines of equal hIoU behind points of seen against unseen classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from benchmark.report.figures.style import PALE

SHORTEST = 0.005
"""Shortest line of equal hIoU that is drawn if it enters from the left, as a share of the width."""
LEVELS = range(10, 100, 10)


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


def make_level_handle() -> Line2D:
    """Return the legend entry of the lines of equal hIoU."""
    return Line2D([], [], color=PALE, linewidth=0.8, label="equal hIoU (%)")
