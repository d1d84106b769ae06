"""Words on a figure against misreading it: missing splits, the baseline, a limited evaluation."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmark.report.figures.glyphs import show_text
from benchmark.report.figures.short_labels import shorten_labels
from benchmark.report.figures.style import DASHES, GRAY
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow
from benchmark.report.tables.layout import OTHER_CLASS_MARK

TITLE_CHARACTER_IN, TITLE_LINE_IN = 0.06, 0.13
"""Width of a character and height of a line of a title."""
TITLE_PAD = 12
"""Points between axes and their title, so that it clears texts right above the axes."""


def mark_splits(row: ResultRow, label: str) -> str:
    """Return a label of a row, with the number of splits behind its means if it lacks some."""
    if not isinstance(row, PooledRow) or len(row.done_members) in (0, row.num_splits):
        return label
    return f"{label} ({len(row.done_members)} of {row.num_splits} splits)"


def make_class_handles(is_one_class: bool, *, baseline: str) -> list[Line2D]:
    """Return the legend entry of rows of another protocol class than the baseline; none if there are none.

    Args:
        is_one_class: Whether all rows are of the class of the baseline.
        baseline: Short label of the baseline.
    """
    text = textwrap.fill(f"{OTHER_CLASS_MARK} gray: another protocol class than {baseline}, no gain of a method", 32)
    return [] if is_one_class else [Line2D([], [], linewidth=0, label=text)]


def make_baseline_handle(baseline: ResultRow, rows: Sequence[ResultRow]) -> Line2D:
    """Return the legend entry of the dashed line at the mean of the baseline, one of the rows."""
    name = shorten_labels([row.label for row in rows], width=22)[rows.index(baseline)]
    return Line2D([], [], color=GRAY, linewidth=0.6, linestyle=DASHES, label=f"baseline: {name}")


def describe_limit(rows: Sequence[ResultRow]) -> str:
    """Return the warning that scores are those of the first images alone; empty if they are of all."""
    limit = max((record.spec.max_images for row in rows for record in row.records), default=0)
    return f"TESTING ONLY: first {limit} image{'' if limit == 1 else 's'} of the evaluation set" if limit else ""


def add_title(target: Figure | Axes, rows: Sequence[ResultRow], *, name: str = "", width_in: float = 0.0) -> None:
    """Write a name and the warning of a limited evaluation above a figure, or above axes with a legend beside them.

    A figure becomes higher by the lines of its title.

    Args:
        target: Figure or axes.
        rows: Rows of the figure.
        name: Name of the split if there are figures of several.
        width_in: Width of the title in inches; 0 for that of the figure.
    """
    figure = target if isinstance(target, Figure) else target.get_figure(root=True)
    assert isinstance(figure, Figure)
    width = max(20, int((width_in or figure.get_figwidth()) / TITLE_CHARACTER_IN))
    lines = [line for text in (show_text(name), describe_limit(rows)) for line in textwrap.wrap(text, width)]
    if not lines:
        return
    figure.set_figheight(figure.get_figheight() + TITLE_LINE_IN * len(lines))
    if isinstance(target, Axes):
        target.set_title("\n".join(lines), fontsize=7, pad=TITLE_PAD)
    else:
        target.suptitle("\n".join(lines), fontsize=7)
