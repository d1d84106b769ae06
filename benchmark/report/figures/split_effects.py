"""Figure of the effect by split: the difference of every row to the baseline on each split, and its mean over them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator
from matplotlib.typing import ColorType

from benchmark.evaluation.pooling import PooledDifference
from benchmark.evaluation.stats import PairedDifference
from benchmark.report.figures.captions import add_title, make_class_handles
from benchmark.report.figures.glyphs import show_text
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
    open_figure,
)
from benchmark.report.split_names import shorten_splits
from benchmark.report.study_results import GroupResults
from benchmark.report.tables.layout import OTHER_CLASS_MARK
from benchmark.report.tables.numbers import format_difference
from benchmark.report.tables.split_notes import count_same_sign

PANELS_ACROSS = 4
"""Comparisons side by side."""
SPLIT_IN, TALL_SPLIT_IN, HEAD_IN = 0.165, 0.22, 1.0
"""Height of a split, of one whose label has two lines, and of the texts above and below a panel."""
CHARACTER_IN, PANEL_IN = 0.045, 1.15
"""Width of a character of a split's classes, and least width of a panel."""
ALIKE = 3.0
"""Ratio of the widest to the narrowest range of differences up to which all panels have one scale."""
COLOR = choose_colors(1)[0]
NO_PAIR: dict[str, Any] = {
    "xycoords": ("axes fraction", "data"),
    "va": "center",
    "bbox": {"facecolor": "white", "linewidth": 0, "pad": 0.5},
}
"""Place of a text in a panel, with a background so that no line runs through it."""
POINT: dict[str, Any] = {"s": 11, "linewidths": 0.8, "zorder": 3}


@dataclass(frozen=True)
class Effect:
    """Difference of one row to the baseline.

    Attributes:
        label: Label of the row, marked if it is of another protocol class than the baseline.
        difference: Difference over the splits.
        is_within_class: Whether the row is of the class of the baseline.
    """

    label: str
    difference: PooledDifference
    is_within_class: bool = True

    @property
    def color(self) -> ColorType:
        """Color of points and mean: gray if the row is of another protocol class than the baseline."""
        return COLOR if self.is_within_class else GRAY


def draw_effects(group: GroupResults, out: Path, *, title: str = "", formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw the differences of hIoU to the baseline split by split, with the mean over the splits as a band.

    Every comparison has a panel, whose lines are the same splits: sorted by the first comparison, each with its unseen
    classes if there is space. A point is filled if the interval of this split alone excludes 0.

    Args:
        group: Results over several splits.
        out: Folder of the files.
        title: Name of the group if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if no difference is over several splits.
    """
    effects = _list_effects(group)
    if not effects:
        return []
    splits = sort_splits(group, effects[0].difference)
    across = min(len(effects), PANELS_ACROSS)
    down = math.ceil(len(effects) / across)
    width = 1.0 if across > 1 else 0.75
    labels = label_splits(group, splits, space_in=PAGE_IN * width - PANEL_IN * across)
    split_in = TALL_SPLIT_IN if any("\n" in label for label in labels) else SPLIT_IN
    size = (PAGE_IN * width, down * (HEAD_IN + split_in * len(splits)))
    with open_figure(out, "effect-by-split", size=size, formats=formats) as figure:
        add_title(figure, group.rows, name=title)
        panels = figure.subplots(down, across, squeeze=False, sharey=True, sharex=_have_one_scale(effects)).ravel()
        titles = wrap_labels([effect.label for effect in effects], width=20, widest=26)
        for effect, text, axes in zip(effects, titles, panels, strict=False):
            _draw_panel(axes, effect, splits, title=text)
        for axes in panels[len(effects) :]:
            axes.axis("off")
        for axes in panels[::across]:
            axes.set_yticks(range(len(splits)), labels, fontsize=6)
        assert group.baseline is not None
        name = shorten_labels([group.baseline.label], width=30)[0]
        for axes in panels[max(0, len(effects) - across) : len(effects)]:
            axes.set_xlabel("ΔhIoU (points)")
            axes.tick_params(axis="x", labelbottom=True)
        draw_legend_below(figure, _list_legend(effects, baseline=name))
    return list_paths(out, "effect-by-split", formats)


def _list_effects(group: GroupResults) -> list[Effect]:
    """Return the differences over several splits, in the order of the rows."""
    return [
        Effect(
            row.label if known.is_within_class else f"{row.label} {OTHER_CLASS_MARK}",
            known.pooled,
            known.is_within_class,
        )
        for row, known in zip(group.rows, group.differences, strict=True)
        if known is not None and known.pooled is not None
    ]


def sort_splits(group: GroupResults, difference: PooledDifference) -> list[str]:
    """Return the splits of a group, the largest difference first and those without one last."""
    names = [split.rows[0].split for split in group.splits]
    known = {name: paired.difference for name, paired in difference.by_split.items()}
    return sorted(names, key=lambda name: -known.get(name, -math.inf))


def label_splits(group: GroupResults, splits: Sequence[str], *, space_in: float) -> list[str]:
    """Return short names of splits, each with its unseen classes if all fit on two lines.

    Args:
        group: Results over several splits.
        splits: Names in the order of the labels.
        space_in: Width for labels in inches.
    """
    unseen = {split.rows[0].split: ", ".join(map(show_text, split.list_unseen())) for split in group.splits}
    short = [show_text(name) for name in shorten_splits(splits)]
    labels = [f"{text}: {unseen[name]}" if unseen[name] else text for text, name in zip(short, splits, strict=True)]
    width = int(space_in / CHARACTER_IN)
    lines = [textwrap.wrap(label, width, break_long_words=False) for label in labels]
    is_fitting = all(len(some) <= 2 and max(map(len, some)) <= width for some in lines)
    return ["\n".join(some) for some in lines] if is_fitting else short


def _have_one_scale(effects: Sequence[Effect]) -> bool:
    """Return whether the differences of all rows are readable on one scale."""
    widths = []
    for effect in effects:
        low, high = _find_range(effect.difference)
        widths.append(high - low)
    return min(widths) > 0 and max(widths) / min(widths) <= ALIKE


def _find_range(difference: PooledDifference) -> tuple[float, float]:
    """Return the range that holds 0 and the differences on all splits."""
    values = [0.0, *(paired.difference for paired in difference.by_split.values())]
    return min(values), max(values)


def _draw_panel(axes: Axes, effect: Effect, splits: Sequence[str], *, title: str) -> None:
    difference = effect.difference
    interval = difference.interval
    if math.isfinite(difference.standard_error):
        axes.axvspan(interval.low, interval.high, color=effect.color, alpha=0.15, linewidth=0)
    axes.axvline(difference.difference, color=effect.color, linewidth=1)
    axes.axvline(0, color=GRAY, linewidth=0.6)
    for y, split in enumerate(splits):
        paired = difference.by_split.get(split)
        if paired is None:
            axes.annotate("no pair", (0.02, y), style="italic", fontsize=5, color=GRAY, **NO_PAIR)
        else:
            _draw_split(axes, paired, y=y, color=effect.color)
    ends = (difference.difference, interval.low, interval.high)
    change, low, high = (format_difference(end, digits=1).replace("-", MINUS) for end in ends)
    signs = f"{count_same_sign(difference)}/{len(difference.splits)}"
    axes.set_title(f"{title}\n{change} [{low}, {high}]\nsame sign: {signs}", fontsize=6.5)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.set_ylim(len(splits) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    draw_grid(axes, axis="x")


def _draw_split(axes: Axes, paired: PairedDifference, *, y: int, color: ColorType) -> None:
    """Draw the difference on one split with its own interval."""
    interval = paired.interval
    is_decided = not interval.low <= 0 <= interval.high
    if math.isfinite(paired.standard_error):
        line = INTERVAL_LINES[interval.kind]
        axes.plot([interval.low, interval.high], [y, y], color=GRAY, linewidth=0.7, linestyle=line)
    axes.scatter(paired.difference, y, color=[color if is_decided else "white"], edgecolors=[color], **POINT)


def _list_legend(effects: Sequence[Effect], *, baseline: str) -> list[Line2D | Patch]:
    pooled = [effect.difference for effect in effects]
    level = f"{pooled[0].interval.level:.0%}"
    kinds = dict.fromkeys(paired.interval.kind for one in pooled for paired in one.by_split.values())
    over = dict.fromkeys(one.interval.kind for one in pooled)
    point: dict[str, Any] = {"marker": "o", "markersize": 3.5, "markeredgecolor": COLOR}
    handles: list[Line2D | Patch] = [
        Line2D([], [], linewidth=0, color=COLOR, label=f"difference from {baseline}\non one split", **point),
        Line2D([], [], linewidth=0, color="white", label="the same, its own interval\ncontains 0", **point),
    ]
    handles += [
        Line2D(
            [], [], color=GRAY, linewidth=0.7, linestyle=INTERVAL_LINES[kind], label=f"{level} interval\nover {kind}"
        )
        for kind in kinds
    ]
    parts = [paired.interval.caution.split("; ") for one in pooled for paired in one.by_split.values()]
    for text in dict.fromkeys(text for some in parts for text in some if text):
        number = sum(text in some for some in parts)
        place = "all" if number == len(parts) else f"{number} of {len(parts)}"
        label = textwrap.fill(f"{place} intervals on one split: {text}", 32)
        handles.append(Line2D([], [], linewidth=0, label=label))
    handles.append(Line2D([], [], color=COLOR, linewidth=1, label="mean over splits"))
    of_means = dict.fromkeys(text for one in pooled for text in one.interval.caution.split("; ") if text)
    handles.append(Patch(color=COLOR, alpha=0.15, linewidth=0, label=f"its {level} interval over\n{' or '.join(over)}"))
    labels = [textwrap.fill(f"intervals of the mean: {text}", 32) for text in of_means]
    handles += [Line2D([], [], linewidth=0, label=label) for label in labels]
    return [*handles, *make_class_handles(all(effect.is_within_class for effect in effects), baseline=baseline)]
