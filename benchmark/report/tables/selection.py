"""Columns of a table: the default ones, or those that a user selects by their keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmark.evaluation.scores import METRICS, Metric
from benchmark.report.rows import TABLE_METRICS
from benchmark.report.tables.columns import COLUMNS, OPTIONAL_COLUMNS, Column
from benchmark.utils.did_you_mean import explain_unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame

FIRST = "label"
"""Column that every printed table begins with."""


@dataclass(frozen=True)
class SelectedColumns:
    """Columns of one table.

    Attributes:
        columns: Columns of the row frame, csv and json: the default ones and the selected ones.
        keys: Keys of the printed columns; if empty, those that the results decide.
    """

    columns: tuple[Column, ...] = COLUMNS
    keys: tuple[str, ...] = ()

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """Metrics that need estimates."""
        return (*TABLE_METRICS, *(metric for metric in METRICS if metric in self.keys and metric not in TABLE_METRICS))

    @property
    def has_ranks(self) -> bool:
        """Whether the ranks of the rows are needed."""
        return "hiou_rank" in self.keys

    def list_printed(self, frame: DataFrame) -> list[Column]:
        """Return the columns of the printed table, in their order."""
        if not self.keys:
            return [column for column in self.columns if column.header and column.is_shown(frame)]
        known = {column.key: column for column in self.columns}
        return [known[key] for key in dict.fromkeys((FIRST, *self.keys))]

    def list_printed_metrics(self, frame: DataFrame) -> list[Metric]:
        """Return the metrics of the printed table."""
        keys = {column.key for column in self.list_printed(frame)}
        return [metric for metric in METRICS if metric in keys]


def select_columns(keys: Sequence[str]) -> SelectedColumns:
    """Return the columns with these keys; the default ones if there are no keys.

    Raises:
        KeyError: A key is unknown or never printed; the message suggests the nearest and lists all.
    """
    known = list_selectable()
    for key in keys:
        if key not in known:
            raise KeyError(explain_unknown_name("column", key, known))
    optional = [column for key, columns in OPTIONAL_COLUMNS.items() if key in keys for column in columns]
    return SelectedColumns((*COLUMNS, *optional), tuple(keys))


def list_selectable() -> list[str]:
    """Return the keys of the columns that can be selected."""
    return [column.key for column in COLUMNS if column.header and column.key != FIRST] + list(OPTIONAL_COLUMNS)


DEFAULT = SelectedColumns()
"""Columns of a table for which none are selected."""
