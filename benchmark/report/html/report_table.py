"""The table of a report: all columns that a reader may choose, those that are shown at first, and the notes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from benchmark.report.html.column_texts import COLUMN_TEXTS
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.headers import SUPERVISION_WORDS, describe_supervision
from benchmark.report.tables.layout import TableCell, TableNote
from benchmark.report.tables.selection import DEFAULT, SelectedColumns, list_selectable, select_columns
from benchmark.report.tables.study_table import build_results_frame, lay_out

if TYPE_CHECKING:
    from pandas import DataFrame

    from benchmark.report.tables.column import Column

EXTRA_METRICS = ("miou", "pixel_accuracy")
"""Scores beyond those of every table."""
MAX_RANKED = 40
"""Rows of a table up to which they are ranked: the time grows with the square."""


class ReportColumn(NamedTuple):
    """A column of the table.

    Attributes:
        key: Key, as in `--columns`.
        header: Header.
        text: What the column means.
        is_text: Whether the cells hold text.
        is_shown: Whether the column is shown at first.
    """

    key: str
    header: str
    text: str
    is_text: bool
    is_shown: bool


@dataclass(frozen=True)
class ReportTable:
    """The table.

    Attributes:
        columns: Columns; the first one holds the labels.
        rows: Cells by row.
        values: Unrounded values of the cells by row, which the table is sorted by; None for texts and missing values.
        notes: Notes below the table.
    """

    columns: tuple[ReportColumn, ...]
    rows: tuple[tuple[TableCell, ...], ...]
    values: tuple[tuple[float | None, ...], ...]
    notes: tuple[TableNote, ...]


def select_report_columns(*, has_ranks: bool, has_pools: bool) -> SelectedColumns:
    """Return all columns that the table of a report has.

    Args:
        has_ranks: Whether rows are ranked.
        has_pools: Whether there are rows over several splits.
    """
    split_keys = [key for key in list_selectable() if key.startswith("hiou_difference_")]
    left_out = {*(() if has_pools else split_keys), *(() if has_ranks else ("hiou_rank",))}
    keys = [*(column.key for column in DEFAULT.columns if column.header), *split_keys, *EXTRA_METRICS, "hiou_rank"]
    return select_columns([key for key in dict.fromkeys(keys) if key not in {"label", "group", *left_out}])


def lay_out_report_table(results: StudyResults, columns: SelectedColumns) -> ReportTable:
    """Return the table of results.

    Args:
        results: Results, with ranks if the columns have them.
        columns: Columns as `select_report_columns` returns them.
    """
    columns = columns.add_splits() if results.has_pools else columns
    frame = build_results_frame(results, columns)
    layout = lay_out(results, frame, columns=columns, title="", digits=1)
    printed = columns.list_printed(frame)
    shown = {column.key for column in replace(columns, keys=()).list_printed(frame)}
    shown -= {*EXTRA_METRICS, "hiou_rank"}
    cells = [_spell_cells(column.key, [row[at] for row in layout.cells]) for at, column in enumerate(printed)]
    is_empty = [all(cell.text == "-" for cell in some) for some in cells]
    kept = [at for at, column in enumerate(printed) if column.key in shown or not is_empty[at]]
    return ReportTable(
        columns=tuple(
            ReportColumn(
                key=printed[at].key,
                header=layout.header[at],
                text=COLUMN_TEXTS.get(printed[at].key, layout.header[at]),
                is_text=layout.is_text[at],
                is_shown=printed[at].key in shown,
            )
            for at in kept
        ),
        rows=tuple(zip(*(cells[at] for at in kept), strict=True)),
        values=tuple(zip(*(_list_values(frame, printed[at]) for at in kept), strict=True)),
        notes=tuple(replace(note, text=spell_supervision(note.text)) for note in layout.notes),
    )


def spell_supervision(text: str) -> str:
    """Return a text with kinds of supervision in words that it names by their values, such as seen_masks."""
    names = sorted((name for name in SUPERVISION_WORDS if "_" in name), key=len, reverse=True)
    pattern = "|".join(map(re.escape, names))
    return re.sub(rf"(?<![\w+])(?:{pattern})(?![\w+])", lambda match: describe_supervision(match[0]), text)


def _list_values(frame: DataFrame, column: Column) -> list[float | None]:
    """Return the unrounded values of a column of numbers; None for those that are missing, and for texts."""
    if column.is_text:
        return [None] * len(frame)
    return [
        None if missing else float(value)
        for value, missing in zip(frame[column.key], frame[column.key].isna(), strict=True)
    ]


def _spell_cells(key: str, cells: Sequence[TableCell]) -> list[TableCell]:
    """Return the cells of a column, those of the supervision in words."""
    if key != "supervision":
        return list(cells)
    return [replace(cell, text=describe_supervision(cell.text)) for cell in cells]
