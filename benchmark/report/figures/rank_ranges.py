"""Figure of ranks: the rank of every row, and the ranks that the variation of its results allows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from benchmark.report.figures.captions import add_title
from benchmark.report.figures.short_labels import wrap_labels
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
from benchmark.report.study_results import GroupResults

ROW_IN, HEAD_IN = 0.23, 0.85
"""Height of a row, and of axis and legend together."""
WIDTH_IN = 0.78 * PAGE_IN
COLOR = choose_colors(1)[0]
POINT: dict[str, Any] = {"s": 14, "edgecolors": [COLOR], "linewidths": 0.8, "zorder": 3}
POINT_KEY: dict[str, Any] = {"linewidth": 0, "marker": "o", "markersize": 3.8, "markeredgecolor": COLOR}


_BORDER: dict[str, Any] = {"color": GRAY, "linewidth": 0.6, "linestyle": DASHES}


class RankLine(NamedTuple):
    """A row of the figure.

    Attributes:
        rank: Rank of the row.
        low: Best rank that the variation allows.
        high: Worst rank that it allows.
        text: Text right of the axes.
    """

    rank: int
    low: int
    high: int
    text: str


def draw_ranks(group: GroupResults, out: Path, *, title: str = "", formats: Sequence[str] = FORMATS) -> list[Path]:
    """Draw the rank of every row with the ranks that the variation allows, the best row first.

    Args:
        group: Results with ranks.
        out: Folder of the files.
        title: Name of the group if there are figures of several.
        formats: Any of "png", "pdf", "svg".

    Returns:
        The files; none if fewer than two rows have a rank.
    """
    pairs = [(row, rank) for row, rank in zip(group.rows, group.ranks, strict=True) if rank is not None]
    if len(pairs) < 2:
        return []
    keys = list(dict.fromkeys(row.traits.key for row, _ in pairs))
    pairs.sort(key=lambda pair: (keys.index(pair[0].traits.key), pair[1].rank))
    classes = [row.traits.key for row, _ in pairs]
    sizes = Counter(classes)
    lines = [
        RankLine(
            rank=rank.rank,
            low=rank.low,
            high=rank.high,
            text=f"{rank.rank} [{rank.low}, {rank.high}] of {sizes[row.traits.key]}",
        )
        for row, rank in pairs
    ]
    with open_figure(out, "ranks", size=(WIDTH_IN, HEAD_IN + ROW_IN * len(lines)), formats=formats) as figure:
        axes = figure.add_subplot()
        add_title(figure, group.rows, name=title)
        _draw_lines(axes, lines, wrap_labels([row.label for row, _ in pairs], width=30))
        for y in range(1, len(classes)):
            if classes[y] != classes[y - 1]:
                axes.axhline(y - 0.5, **_BORDER)
        axes.set_xlim(0.5, max(line.high for line in lines) + 0.5)
        axes.set_xlabel("rank by hIoU within its protocol class (1 is the best)")
        draw_legend_below(
            figure,
            [
                Line2D([], [], color=COLOR, label="the only rank that the variation allows", **POINT_KEY),
                Line2D([], [], color="white", label="several ranks are possible", **POINT_KEY),
                *([Line2D([], [], label="between protocol classes", **_BORDER)] if len(keys) > 1 else []),
            ],
        )
    return list_paths(out, "ranks", formats)


def describe_variation(group: GroupResults) -> str:
    """Return what the ranks of a group vary with, such as "seeds and images"; on one split not with splits."""
    ranked = [row for row, rank in zip(group.rows, group.ranks, strict=True) if rank is not None]
    intervals = [row.estimates["hiou"].interval for row in ranked]
    kinds = " ".join(interval.kind for interval in intervals if interval is not None)
    sources = [source for source in ("splits", "seeds") if source in kinds]
    return " and ".join([", ".join(sources), "images"] if sources else ["images"])


def _draw_lines(axes: Axes, lines: Sequence[RankLine], labels: Sequence[str]) -> None:
    """Draw the ranges of ranks, with labels on the left and numbers on the right."""
    for y, line in enumerate(lines):
        axes.plot([line.low, line.high], [y, y], color=COLOR, linewidth=1)
        axes.scatter(line.rank, y, color=[COLOR if line.low == line.high else "white"], **POINT)
        axes.text(1.02, y, line.text, transform=axes.get_yaxis_transform(), va="center", fontsize=6.5)
    axes.set_yticks(range(len(lines)), labels)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
    draw_grid(axes, axis="x")
