"""Figure of the IoU of every class and row as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from benchmark.evaluation.scores import Floats
from benchmark.report.figures.captions import add_title, mark_splits
from benchmark.report.figures.short_labels import shorten_labels, wrap_labels
from benchmark.report.figures.style import FORMATS, PAGE_IN, list_paths, open_figure
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow
from benchmark.report.tables.layout import UNSEEN_MARK

COLOR_MAP = "cividis"
COLORS = colormaps[COLOR_MAP]
MIDDLE_LUMINANCE = 0.179
"""Luminance on which black and white have the same contrast by WCAG 2: the square root of 1.05 * 0.05, less 0.05."""
CLASSES_IN = 5.4
"""Width of all classes together."""
NUMBERED_IN, NAMED_IN, UNSEEN_IN = 0.16, 0.07, 0.13
"""Least width of a class with numbers, of one with a name, and the width of an unseen class if there is space."""


def draw_classes(
    rows: Sequence[ResultRow], out: Path, *, title: str = "", formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Draw IoU per class, mean over the runs of a row: seen classes left, unseen ones right and with a star.

    Classes that the convention leaves out are gray. Numbers and names are left out if there are too many classes. Rows
    over several splits have two maps, one below the other: the mean over the splits on which a class is seen, and that
    over the splits on which it is unseen.
    """
    shown = [row for row in rows if row.done]
    if not shown:
        return []
    counts = shown[0].counts[0]
    is_pooled = any(isinstance(row, PooledRow) for row in shown)
    roles = {seen for row in shown for seen in (counts.seen for counts in row.counts)}
    groups = {kind: [k for k, flags in enumerate(zip(*roles, strict=True)) if kind in flags] for kind in (True, False)}
    widths = dict.fromkeys(groups, CLASSES_IN) if is_pooled else _choose_widths(*map(len, groups.values()))
    classes = shorten_labels(counts.classes, width=40)
    height = (0.75 + 0.23 * len(shown) + 0.055 * max(map(len, classes))) * (2 if is_pooled else 1)
    with open_figure(out, "classes", size=(PAGE_IN, height), formats=formats) as figure:
        add_title(figure, rows, name=title)
        kinds = [kind for kind, members in groups.items() if members]
        panels = _make_panels(figure, [widths[kind] for kind in kinds], is_pooled=is_pooled)
        for kind, axes in zip(kinds, panels, strict=True):
            names = [classes[k] + ("" if kind else UNSEEN_MARK) for k in groups[kind]]
            values = np.stack([row.average_iou(is_seen=kind) for row in shown])[:, groups[kind]]
            _draw_group(axes, values, names, width=widths[kind] / len(names))
            axes.set_xlabel(_name_role(kind, len(names), is_pooled=is_pooled))
            axes.set_yticks([])
        ticks = [index + 0.5 for index in range(len(shown))]
        labels = zip(rows, wrap_labels([row.label for row in rows]), strict=True)
        texts = [mark_splits(row, label) for row, label in labels if row.done]
        for axes in panels if is_pooled else panels[:1]:
            axes.set_yticks(ticks, texts, rotation=0)
        scale = ScalarMappable(Normalize(0, 100), COLOR_MAP)
        figure.colorbar(scale, ax=list(panels), label="IoU (%)", pad=0.01, aspect=30).outline.set_visible(False)
    return list_paths(out, "classes", formats)


def _make_panels(figure: Figure, widths: Sequence[float], *, is_pooled: bool) -> Sequence[Axes]:
    """Return axes side by side, or one below the other for rows over several splits."""
    if is_pooled:
        return list(figure.subplots(len(widths), 1, squeeze=False)[:, 0])
    return list(figure.subplots(1, len(widths), squeeze=False, width_ratios=widths)[0])


def _name_role(is_seen: bool, number: int, *, is_pooled: bool) -> str:
    if is_pooled:
        kind = "seen" if is_seen else f"unseen{UNSEEN_MARK}"
        return f"mean over the splits on which a class is {kind} ({number})"
    return f"seen ({number})" if is_seen else f"unseen{UNSEEN_MARK} ({number})"


def _draw_group(axes: Axes, values: Floats, names: Sequence[str], *, width: float) -> None:
    """Draw one heat map.

    Args:
        axes: Axes to draw into.
        values: (rows, K) IoU in percent.
        names: Names of the K classes.
        width: Width of a class in inches.
    """
    has_numbers = width >= NUMBERED_IN
    scale: dict[str, Any] = {"vmin": 0, "vmax": 100, "cmap": COLOR_MAP, "cbar": False}
    numbers: dict[str, Any] = {"annot": has_numbers, "fmt": ".0f", "annot_kws": {"size": 6}}
    lines: dict[str, Any] = {"linewidths": 0.4 if has_numbers else 0, "rasterized": not has_numbers}
    # seaborn would measure each of its tick labels on a canvas of its own: gigabytes for a thousand rows
    unlabeled: dict[str, Any] = {"xticklabels": False, "yticklabels": False}
    sns.heatmap(values, ax=axes, mask=np.isnan(values), **scale, **numbers, **lines, **unlabeled)
    for text in axes.texts:
        shade = COLORS(float(text.get_text()) / 100)
        text.set_color("black" if measure_luminance(shade) > MIDDLE_LUMINANCE else "white")
        text.set_in_layout(False)  # it lies within the axes: measuring thousands takes half of the time
    axes.set_facecolor("0.85")
    axes.tick_params(length=0)
    labeled = range(len(names)) if width >= NAMED_IN else []
    size = min(7.0, 0.95 * 72 * width)
    axes.set_xticks([k + 0.5 for k in labeled], [names[k] for k in labeled], rotation=90, fontsize=size)


def _choose_widths(seen: int, unseen: int) -> dict[bool, float]:
    """Return the inches of seen and of unseen classes: equal per class, but enough for the names of the unseen."""
    share = max(unseen / (seen + unseen), min(0.5 if seen else 1.0, UNSEEN_IN * unseen / CLASSES_IN))
    return {True: CLASSES_IN * (1 - share), False: CLASSES_IN * share}


def measure_luminance(color: Sequence[float]) -> float:
    """Return the relative luminance of an sRGB color with channels from 0 to 1, by WCAG 2."""
    linear = [level / 12.92 if level <= 0.04045 else ((level + 0.055) / 1.055) ** 2.4 for level in color[:3]]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
