"""Rows that a figure shows at most: one of thousands of rows takes minutes to draw and cannot be read."""

from __future__ import annotations

from benchmark.report.study_results import GroupResults

MAX_ROWS = 120
"""Rows of a group that a figure shows at most, unless `OTHER_LIMITS` has its name."""
OTHER_LIMITS: dict[str, int | None] = {"effect-by-split": 48, "class-differences": None}
"""Rows that figures with a panel per row show at most; None for a figure that chooses the best of all rows itself."""


def find_limit(name: str) -> int | None:
    """Return how many rows of a group the figure with this name shows at most; None for all."""
    return OTHER_LIMITS.get(name, MAX_ROWS)


def show_first(group: GroupResults, name: str) -> GroupResults:
    """Return a group with the rows that a figure shows: the first ones, and the baseline in any case."""
    most = find_limit(name)
    if most is None or len(group.rows) <= most:
        return group
    return group.select_rows(choose_rows(group, most))


def choose_rows(group: GroupResults, most: int) -> list[int]:
    """Return the indices of the first rows, and that of the baseline in any case."""
    shown = list(range(min(most, len(group.rows))))
    baseline = next((index for index, row in enumerate(group.rows) if row is group.baseline), 0)
    return shown if baseline in shown else [*shown[:-1], baseline]
