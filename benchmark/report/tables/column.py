"""What a column of a study's table is, and the row frame that columns make of the rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from benchmark.evaluation.ranks import RowRank
from benchmark.report.differences import AdjustedDifference
from benchmark.report.result_row import ResultRow
from benchmark.report.settings import EvaluationSetting
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.layout import TableCell

if TYPE_CHECKING:
    from pandas import DataFrame


class TableRow(NamedTuple):
    """One row of a table with what depends on the other rows.

    Attributes:
        row: Results of the row.
        setting: Setting of the row's group; None if no run of the group is done.
        group: Name of the row's group, see `study_results.RowGroup`.
        difference: Difference to the baseline; None if it is not defined.
        rank: Rank of the row; None if it has none.
    """

    row: ResultRow
    setting: EvaluationSetting | None = None
    group: str = ""
    difference: AdjustedDifference | None = None
    rank: RowRank | None = None


def _format_nothing(_frame: DataFrame, _digits: int) -> list[TableCell]:
    return []


def is_any_known(frame: DataFrame, key: str) -> bool:
    """Return whether any row of a frame has a value of a column."""
    return bool(frame[key].notna().any())


def _describe_nothing(_results: StudyResults) -> list[str]:
    return []


@dataclass(frozen=True)
class Column:
    """A column of the row frame, and its printed form if it has one.

    Attributes:
        key: Name of the column in the row frame, csv and json.
        value: Function from a table row to the value; None if the value is not defined.
        dtype: Type of the column in pandas.
        header: Header in printed tables; empty if the column is never printed. A function if it depends on the frame.
        format: Function from the row frame and the decimals of scores to one cell per row.
        is_text: Whether the cells hold text (aligned left) and not numbers (aligned right).
        is_shown: Function from the row frame to whether the column is printed if no columns are selected.
        note: Function from the results to the notes that explain the column.
    """

    key: str
    value: Callable[[TableRow], Any]
    dtype: Literal["str", "Int64", "float64", "boolean"] = "str"
    header: str | Callable[[DataFrame], str] = ""
    format: Callable[[DataFrame, int], list[TableCell]] = _format_nothing
    is_text: bool = False
    is_shown: Callable[[DataFrame], bool] = lambda _frame: True
    note: Callable[[StudyResults], list[str]] = _describe_nothing

    def find_header(self, frame: DataFrame) -> str:
        """Return the header in a printed table; empty if the column is never printed."""
        return self.header if isinstance(self.header, str) else self.header(frame)


def build_row_frame(rows: Sequence[TableRow], columns: Sequence[Column]) -> DataFrame:
    """Return the rows of a table as a data frame: one row per table row, the keys of the columns as columns."""
    from pandas import DataFrame, Series

    return DataFrame(
        {column.key: Series([column.value(row) for row in rows], dtype=column.dtype) for column in columns}
    )
