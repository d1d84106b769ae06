"""IoU of every class and row: where a method gains, and where it pays for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize

from benchmark.evaluation.scores import Floats
from benchmark.report.figures.style import FORMATS, PAGE_IN, drawing, paths, wrapped
from benchmark.report.rows import Row
from benchmark.report.tables.sheet import UNSEEN_MARK

COLOURS = "cividis"
ROOM_IN = 5.4
"""Width left for the classes."""
NUMBERED_IN, NAMED_IN, WISHED_IN = 0.2, 0.07, 0.13
"""Width of a class from which on it has numbers, has a name, and what unseen classes get if there is room."""


def draw_classes(rows: Sequence[Row], out: Path, *, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw IoU per class, mean over the runs of a row: seen classes left, unseen ones right and with a star.

    Classes that the convention leaves out are grey. Where classes are too many for it they have no numbers or names.
    """
    shown = [row for row in rows if row.done]
    if not shown:
        return []
    counts = shown[0].counts[0]
    values = np.stack([row.iou() for row in shown])
    groups = {kind: [at for at, seen in enumerate(counts.seen) if seen is kind] for kind in (True, False)}
    widths = _widths(len(groups[True]), len(groups[False]))
    height = 0.75 + 0.23 * len(shown) + 0.055 * max(map(len, counts.classes))
    with drawing(out, "classes", size=(PAGE_IN, height), formats=formats) as figure:
        kinds = [kind for kind, members in groups.items() if members]
        panels = figure.subplots(1, len(kinds), squeeze=False, width_ratios=[widths[kind] for kind in kinds])[0]
        for kind, axes in zip(kinds, panels, strict=True):
            names = [counts.classes[at] + ("" if kind else UNSEEN_MARK) for at in groups[kind]]
            _draw_group(axes, values[:, groups[kind]], names, width=widths[kind] / len(names))
            axes.set_xlabel(f"seen ({len(names)})" if kind else f"unseen{UNSEEN_MARK} ({len(names)})")
            axes.set_yticks([])
        panels[0].set_yticks([at + 0.5 for at in range(len(shown))], [wrapped(row.label) for row in shown], rotation=0)
        scale = ScalarMappable(Normalize(0, 100), COLOURS)
        figure.colorbar(scale, ax=list(panels), label="IoU (%)", pad=0.01, aspect=30).outline.set_visible(False)
    return paths(out, "classes", formats)


def _draw_group(axes: Axes, values: Floats, names: Sequence[str], *, width: float) -> None:
    """One heat map; `width` is that of a class in inches."""
    has_numbers = width >= NUMBERED_IN
    sns.heatmap(
        values,
        ax=axes,
        mask=np.isnan(values),
        vmin=0,
        vmax=100,
        cmap=COLOURS,
        cbar=False,
        annot=has_numbers,
        fmt=".0f",
        annot_kws={"size": 6},
        linewidths=0.4 if has_numbers else 0,
        rasterized=not has_numbers,
    )
    axes.set_facecolor("0.85")
    axes.tick_params(length=0)
    named = range(len(names)) if width >= NAMED_IN else []
    size = min(7.0, 0.95 * 72 * width)
    axes.set_xticks([at + 0.5 for at in named], [names[at] for at in named], rotation=90, fontsize=size)


def _widths(seen: int, unseen: int) -> dict[bool, float]:
    """Inches for the seen and for the unseen classes: alike for all, but room for the names of the unseen."""
    share = max(unseen / (seen + unseen), min(0.5 if seen else 1.0, WISHED_IN * unseen / ROOM_IN))
    return {True: ROOM_IN * (1 - share), False: ROOM_IN * share}
