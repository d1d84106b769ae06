"""Rows that a figure shows: a figure of thousands is as long as a street, takes minutes, and nobody can read it."""

from __future__ import annotations

from benchmark.report.study_results import GroupResults

MAX_ROWS = 120
"""Rows of a group that figures show: a figure of more is longer than a poster."""
MAX_PANELS = 48
"""Rows of a group that a figure with a panel for each shows."""


def show_first(group: GroupResults, most: int | None) -> GroupResults:
    """Return a group with the first rows and its baseline; with all rows if they are no more than that, or for None."""
    if most is None or len(group.rows) <= most:
        return group
    return group.select_rows(choose_rows(group, most))


def choose_rows(group: GroupResults, most: int) -> list[int]:
    """Return the indices of the first rows, and that of the baseline in any case."""
    shown = list(range(min(most, len(group.rows))))
    baseline = next((index for index, row in enumerate(group.rows) if row is group.baseline), 0)
    return shown if baseline in shown else [*shown[:-1], baseline]
