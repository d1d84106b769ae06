"""Columns of a table: the default ones, or those that a user selects by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmark.evaluation.scores import METRICS, Metric
from benchmark.report.rows import TABLE_METRICS
from benchmark.report.tables.column import Column
from benchmark.report.tables.columns import COLUMNS, OPTIONAL_COLUMNS, add_split_columns
from benchmark.utils.did_you_mean import explain_unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame

FIRST = "label"
"""Column that every printed table begins with."""
GROUP = "group"
"""Column that follows if the table has several splits or settings."""


@dataclass(frozen=True)
class SelectedColumns:
    """Columns of one table.

    Attributes:
        columns: Columns of the row frame, csv and json: the default ones and the selected ones.
        keys: Keys of the printed columns; if empty, those that the results decide.
        sort_key: Key of the column that the rows are sorted by; if empty, they keep the order of the study.
        is_descending: Whether the largest value comes first.
    """

    columns: tuple[Column, ...] = COLUMNS
    keys: tuple[str, ...] = ()
    sort_key: str = ""
    is_descending: bool = False

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that need estimates."""
        wanted = {*self.keys, self.sort_key}
        return (*TABLE_METRICS, *(metric for metric in METRICS if metric in wanted and metric not in TABLE_METRICS))

    @property
    def has_ranks(self) -> bool:
        """Whether the ranks of the rows are needed."""
        return "hiou_rank" in (*self.keys, self.sort_key)

    def add_splits(self) -> SelectedColumns:
        """Return the columns of a table that has rows over several splits."""
        return replace(self, columns=add_split_columns(self.columns))

    def list_printed(self, frame: DataFrame) -> list[Column]:
        """Return the columns of the printed table, in their order."""
        if not self.keys:
            return [column for column in self.columns if column.header and column.is_shown(frame)]
        known = {column.key: column for column in self.columns}
        has_groups = known[GROUP].is_shown(frame)
        return [known[key] for key in dict.fromkeys((FIRST, *([GROUP] if has_groups else []), *self.keys))]

    def list_printed_metrics(self, frame: DataFrame) -> list[Metric]:
        """Return the metrics of the printed table."""
        keys = {column.key for column in self.list_printed(frame)}
        return [metric for metric in METRICS if metric in keys]


def select_columns(keys: Sequence[str], *, sort: str = "") -> SelectedColumns:
    """Return the columns with these keys; the default ones if there are no keys.

    Args:
        keys: Keys of the printed columns.
        sort: Key of the column to sort by, with ",desc" behind it if the largest value comes first; empty for the order
            of the study.

    Raises:
        KeyError: A key is unknown or never printed; the message suggests the nearest and lists all.
        ValueError: The order is neither "asc" nor "desc".
    """
    known = list_selectable()
    for key in keys:
        if key not in known:
            raise KeyError(explain_unknown_name("column", key, known))
    sort_key, is_descending = _read_order(sort)
    optional = [column for key, columns in OPTIONAL_COLUMNS.items() if key in (*keys, sort_key) for column in columns]
    return SelectedColumns((*COLUMNS, *dict.fromkeys(optional)), tuple(keys), sort_key, is_descending)


def _read_order(sort: str) -> tuple[str, bool]:
    """Return the key that rows are sorted by, and whether the largest value comes first."""
    key, comma, order = (part.strip() for part in sort.partition(","))
    known = [FIRST, *list_selectable()]
    if key and key not in known:
        raise KeyError(explain_unknown_name("column to sort by", key, known))
    if (sort and not key) or (comma and order not in ("asc", "desc")):
        raise ValueError(f"cannot sort by {sort!r}: give KEY for ascending or KEY,desc for descending order")
    return key, order == "desc"


def list_selectable() -> list[str]:
    """Return the keys of the columns that can be selected."""
    return [column.key for column in COLUMNS if column.header and column.key not in (FIRST, GROUP)] + list(
        OPTIONAL_COLUMNS
    )


DEFAULT = SelectedColumns()
"""Columns of a table for which none are selected."""
