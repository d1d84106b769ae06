"""Table of a study: one function, six formats, the same bytes for the same runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmark.evaluation.scores import Metric
from benchmark.report.differences import estimate_rows
from benchmark.report.imported import describe_imported
from benchmark.report.official_weights import describe_weights
from benchmark.report.study_results import StudyResults
from benchmark.report.tables.cautions import DIFFERENCE_KEYS, describe_row_uncertainty, describe_shared_cautions
from benchmark.report.tables.column import Column, TableRow, build_row_frame
from benchmark.report.tables.formats import check_format, format_layout
from benchmark.report.tables.json_text import format_csv
from benchmark.report.tables.layout import OTHER_CLASS_MARK, TableLayout, TableNote, assign_marks, drop_notes
from benchmark.report.tables.notes import (
    describe_limits,
    describe_rows,
    describe_settings,
    describe_sources,
)
from benchmark.report.tables.provenance import describe_inputs, describe_machines
from benchmark.report.tables.row_settings import describe_shared_settings
from benchmark.report.tables.selection import DEFAULT, SelectedColumns
from benchmark.report.tables.stale_notes import describe_stale, describe_stale_table
from benchmark.report.tables.study_json import to_json
from benchmark.report.tables.traits import describe_mixed_traits
from benchmark.report.tables.typeset import WIDTH
from benchmark.report.tables.uncertainty import describe_baseline, describe_other_classes, describe_scores
from benchmark.report.tables.undefined import describe_undefined_scores
from benchmark.report.tables.untested import describe_contracts

if TYPE_CHECKING:
    from pandas import DataFrame

HIOU_KEYS = DIFFERENCE_KEYS | {"hiou_rank"}
"""Columns that rest on hIoU, printed or not."""


def render(
    results: StudyResults,
    *,
    fmt: str = "txt",
    title: str = "",
    columns: SelectedColumns = DEFAULT,
    digits: int = 1,
    width: int | None = WIDTH,
    has_notes: bool = True,
) -> str:
    """Return the table of a study as text.

    Args:
        results: Results as `study_results.collect_results` returns them.
        fmt: Format, one of `formats.FORMATS`.
        title: Caption.
        columns: Columns of the table.
        digits: Decimals of scores in printed formats; csv and json are not rounded to them.
        width: Characters in a line of aligned text; None for all columns side by side.
        has_notes: Whether printed formats and json have notes; warnings stay in any case.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    check_format(fmt)
    columns = columns.add_splits() if results.has_pools else columns
    frame = build_results_frame(results, columns)
    if fmt == "csv":
        return format_csv(add_single_splits(frame, results, columns))
    layout = lay_out(results, frame, columns=columns, title=title, digits=digits)
    layout = layout if has_notes else drop_notes(layout)
    if fmt == "json":
        split_frame = build_results_frame(results.by_split, columns) if results.has_pools else frame
        return to_json(results, frame=frame, split_frame=split_frame, layout=layout)
    return format_layout(layout, fmt, width=width)


def build_results_frame(results: StudyResults, columns: SelectedColumns) -> DataFrame:
    """Return the row frame of a study's results, see `columns.build_row_frame`."""
    rows = [
        TableRow(row, group.setting, group.name, difference, rank)
        for group in results.groups
        for row, difference, rank in zip(group.rows, group.differences, group.ranks, strict=True)
    ]
    return build_row_frame(rows, columns.columns)


def add_single_splits(frame: DataFrame, results: StudyResults, columns: SelectedColumns) -> DataFrame:
    """Return a row frame with the rows of every single split behind those over several, which have no split."""
    from pandas import concat

    if not results.has_pools:
        return frame
    by_split = StudyResults(tuple(group for group in results.groups if group.splits)).by_split
    estimate_rows(by_split.rows)
    return concat([frame, build_results_frame(by_split, columns)], ignore_index=True)


def sort_results(results: StudyResults, columns: SelectedColumns) -> StudyResults:
    """Return the results with the rows of every group in the order that the columns ask for; the baseline stays."""
    if not columns.sort_key:
        return results
    keys = build_results_frame(results, columns)[columns.sort_key]
    texts = keys if keys.dtype.kind in "fi" else keys.astype("string").str.casefold()
    order = texts.sort_values(ascending=not columns.is_descending, kind="stable", na_position="last").index.tolist()
    groups, start = [], 0
    for group in results.groups:
        groups.append(group.select_rows([at - start for at in order if start <= at < start + len(group.rows)]))
        start += len(group.rows)
    return replace(results, groups=tuple(groups))


def lay_out(
    results: StudyResults, frame: DataFrame, *, columns: SelectedColumns, title: str, digits: int
) -> TableLayout:
    """Return the printed columns of a row frame, with their notes.

    Args:
        results: Results behind the frame.
        frame: Row frame, see `columns.build_row_frame`.
        columns: Columns of the table.
        title: Caption.
        digits: Decimals of scores.
    """
    printed = columns.list_printed(frame)
    cells = [column.format(frame, digits) for column in printed]
    metrics = columns.list_printed_metrics(frame)
    row_texts = describe_table_rows(results, metrics, [column.key for column in printed])
    marks, row_notes = assign_marks(row_texts, warnings=list_warnings(results))
    cells[0] = [replace(cell, marks=mark) for cell, mark in zip(cells[0], marks, strict=True)]
    return TableLayout(
        title=title,
        header=tuple(column.find_header(frame) for column in printed),
        is_text=tuple(column.is_text for column in printed),
        cells=tuple(zip(*cells, strict=True)),
        notes=(*row_notes, *describe_table(results, printed, metrics=metrics, title=title)),
    )


def describe_table_rows(results: StudyResults, metrics: Sequence[Metric], keys: Sequence[str]) -> list[list[str]]:
    """Return the notes on every row of a table.

    Args:
        results: Results of the table.
        metrics: Printed metrics.
        keys: Keys of the printed columns.
    """
    pairs = zip(describe_rows(results.rows), describe_row_uncertainty(results, metrics, keys), strict=True)
    return [first + second for first, second in pairs]


def list_warnings(results: StudyResults) -> set[str]:
    """Return the notes on rows without which their numbers must not be read."""
    return {
        text for row in results.rows for text in describe_imported(row) + describe_weights(row) + describe_stale(row)
    }


def describe_table(
    results: StudyResults, printed: Sequence[Column], *, metrics: Sequence[Metric], title: str
) -> list[TableNote]:
    """Return the notes on a whole table, warnings first.

    Args:
        results: Results of the table.
        printed: Printed columns.
        metrics: Printed metrics.
        title: Caption.
    """
    keys = [column.key for column in printed]
    basis: list[Metric] = ["hiou"] if HIOU_KEYS & set(keys) else []
    texts = [
        *describe_settings(results),
        *describe_scores(results.rows, metrics),
        *describe_mixed_traits(results.rows),
        *describe_undefined_scores(results, [*metrics, *basis]),
        *describe_shared_cautions(results, metrics, keys),
        *(text for column in printed for text in column.note(results)),
        *describe_baseline(results),
        *describe_contracts(results.rows),
        *describe_shared_settings(results.rows, title=title),
        *describe_sources(results.rows),
        *describe_machines(results.rows),
        *describe_inputs(results.rows),
    ]
    cautions = [*describe_limits(results), *describe_stale_table(results.rows)]
    warnings = [TableNote(text, is_warning=True) for text in cautions]
    if DIFFERENCE_KEYS & set(keys):
        warnings += [TableNote(text, OTHER_CLASS_MARK, is_warning=True) for text in describe_other_classes(results)]
    return warnings + [TableNote(text) for text in texts]
