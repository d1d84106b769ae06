"""A paper's table as a `TableLayout`: groups of columns per dataset, sections, places, marks and notes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from benchmark.evaluation.scores import METRICS, Metric
from benchmark.report.papers.paper_notes import describe_cells, describe_classes, describe_looks, describe_sources
from benchmark.report.papers.paper_results import PaperCell, PaperResults
from benchmark.report.papers.places import Candidate, find_places
from benchmark.report.papers.published_match import format_values, get_value, list_published_metrics
from benchmark.report.result_row import ResultRow
from benchmark.report.tables.column import Column, build_row_frame
from benchmark.report.tables.layout import (
    TICK,
    HeaderGroup,
    Section,
    TableCell,
    TableLayout,
    TableNote,
    assign_marks,
)
from benchmark.report.tables.numbers import NOTHING, format_difference, format_score
from benchmark.report.tables.selection import SelectedColumns
from benchmark.report.tables.study_table import describe_table, describe_table_rows, list_warnings


class Block(NamedTuple):
    """Printed columns of one dataset.

    Attributes:
        header: A header per column.
        cells: A list of cells per column.
        columns: The table columns behind the first headers.
    """

    header: list[str]
    cells: list[list[TableCell]]
    columns: list[Column]


def lay_out_paper(
    results: PaperResults, columns: SelectedColumns, *, digits: int = 1, fill_notes: Sequence[str] = ()
) -> TableLayout:
    """Return the printed form of a paper's table.

    Args:
        results: Results of the table.
        columns: Columns of each dataset.
        digits: Decimals of scores.
        fill_notes: Notes on missing runs and the commands that compute them.
    """
    blocks = [_lay_out_dataset(results, index, columns, digits=digits) for index in range(len(results.datasets))]
    first = _lay_out_labels(results)
    texts = describe_cells(results, _describe_own(results))
    order = [cell for row in texts for cell in (row.label, *row.own, *row.published)]
    warnings = list_warnings(results.study) if results.study is not None else set()
    warnings |= {text for row in texts for some in row.published for text in some}
    marks, row_notes = assign_marks(order, warnings=warnings)
    given = iter(marks)
    for row_index in range(len(results.rows)):
        first.cells[0][row_index] = replace(first.cells[0][row_index], marks=next(given))
        for block in blocks:
            block.cells[0][row_index] = _add_marks(block.cells[0][row_index], next(given))
        for block in blocks:
            column = block.cells[len(block.columns)] if len(block.cells) > len(block.columns) else block.cells[0]
            column[row_index] = _add_marks(column[row_index], next(given))
    everything = [first, *blocks]
    return TableLayout(
        title=results.named.title,
        header=tuple(header for block in everything for header in block.header),
        is_text=tuple(block is first for block in everything for _ in block.header),
        cells=tuple(zip(*(cells for block in everything for cells in block.cells), strict=True)),
        notes=(*row_notes, *_describe_all(results, fill_notes=fill_notes, blocks=blocks)),
        groups=(
            HeaderGroup("", len(first.header)),
            *(
                HeaderGroup(dataset.label, len(block.header))
                for dataset, block in zip(results.datasets, blocks, strict=True)
            ),
        ),
        sections=tuple(Section(index, row.section) for index, row in enumerate(results.rows) if row.section),
    )


def _add_marks(cell: TableCell, marks: Sequence[str]) -> TableCell:
    """Return a cell with further marks, a before z before aa."""
    return replace(cell, marks=tuple(sorted({*cell.marks, *marks}, key=lambda mark: (len(mark), mark))))


def _lay_out_labels(results: PaperResults) -> Block:
    """Return the columns before those of the datasets: labels, and a tick for each part of the method."""
    parts = results.named.table.parts
    ticks = [[TableCell(TICK if part in row.parts else "") for row in results.rows] for part in parts]
    return Block(["Method", *parts], [[TableCell(row.label) for row in results.rows], *ticks], [])


def _lay_out_dataset(results: PaperResults, index: int, columns: SelectedColumns, *, digits: int) -> Block:
    """Return the columns of one dataset: ours, and published numbers where there are any."""
    cells = results.get_column(index)
    own = [cell.own for cell in cells if cell.own is not None]
    header, body, printed = [], [], []
    if own:
        columns = (
            columns.add_splits() if any(cell.row is not None and not cell.row.split for cell in cells) else columns
        )
        frame = build_row_frame(own, columns.columns)
        by_key = {column.key: column for column in columns.columns}
        printed = [by_key[key] for key in results.named.table.columns]
        for column in printed:
            values = iter(column.format(frame, digits))
            header.append(column.find_header(frame))
            body.append([next(values) if cell.own is not None else TableCell(NOTHING) for cell in cells])
            if column.key in METRICS:
                body[-1] = _mark_places(cells, body[-1], column.key, digits=digits)
                body[-1] = [_show_state(cell, text) for cell, text in zip(cells, body[-1], strict=True)]
        body[0] = [_name_undone(cell, text) for cell, text in zip(cells, body[0], strict=True)]
    if any(cell.published is not None for cell in cells):
        published_header, published = _lay_out_published(results, cells, has_own=bool(own), digits=digits)
        header += published_header
        body += published
    if not body:
        header, body = ["published"], [[TableCell(NOTHING) for _ in cells]]
    return Block(header, body, printed)


def _mark_places(
    cells: Sequence[PaperCell], texts: Sequence[TableCell], metric: str, *, digits: int
) -> list[TableCell]:
    """Return the cells of a metric with the best and second best of each class marked."""
    candidates = [_make_candidate(cell, metric, digits=digits) for cell in cells]
    return [
        replace(text, is_best=place == 1, is_second=place == 2)
        for text, place in zip(texts, find_places(candidates), strict=True)
    ]


def _make_candidate(cell: PaperCell, metric: str, *, digits: int) -> Candidate | None:
    """Return our mean as a candidate for the best value; None if runs are missing or the score is not defined."""
    if cell.own is None or not cell.own.row.is_complete:
        return None
    mean = next((known.mean for name, known in cell.own.row.estimates.items() if name == metric), float("nan"))
    if mean != mean:
        return None
    return Candidate((cell.own.group, cell.own.row.traits.key), mean, format_score(mean, digits=digits))


def _show_state(cell: PaperCell, text: TableCell) -> TableCell:
    """Return a score with what is not plain about it, or nothing if no run is done."""
    is_undone = cell.row is not None and not cell.row.done
    return TableCell(NOTHING) if is_undone else replace(text, state=name_state(cell.row))


def _name_undone(cell: PaperCell, text: TableCell) -> TableCell:
    """Return the first cell of a row, or why it has no result."""
    if cell.row is None or cell.row.done:
        return text
    return TableCell(cell.row.state.value, state=name_state(cell.row))


def name_state(row: ResultRow | None) -> str:
    """Return what a reader must not take for a plain result, in a word; empty for one that is."""
    if row is None:
        return ""
    if not row.done:
        return row.state.value
    if any(run.is_stale for run in row.done):
        return "stale"
    if row.is_imported:
        return "imported"
    return "" if row.is_complete else "incomplete"


def _lay_out_published(
    results: PaperResults, cells: Sequence[PaperCell], *, has_own: bool, digits: int
) -> tuple[list[str], list[list[TableCell]]]:
    """Return the columns of published numbers, and of what they say of ours if we have any."""
    table = results.named.table
    metrics = list_published_metrics(table)
    candidates = [_make_published_candidate(cell, table.compared) for cell in cells]
    numbers = [
        TableCell(_format_published(cell, metrics), state="published", is_best=place == 1, is_second=place == 2)
        for cell, place in zip(cells, find_places(candidates), strict=True)
    ]
    header, body = ["published"], [numbers]
    if has_own and any(cell.verdict is not None or cell.obstacle for cell in cells):
        header += ["difference", "verdict"]
        body.append([TableCell(_format_change(cell, digits=digits)) for cell in cells])
        body.append([TableCell(_format_verdict(cell)) for cell in cells])
    return header, body


def _make_published_candidate(cell: PaperCell, metric: str) -> Candidate | None:
    if cell.published is None or not cell.published.is_verified:
        return None
    value = get_value(cell.published.values, metric)
    return None if value is None else Candidate(cell.published.traits.key, value, str(value))


def _format_published(cell: PaperCell, metrics: Sequence[str]) -> str:
    return NOTHING if cell.published is None else format_values(cell.published, metrics)


def _format_change(cell: PaperCell, *, digits: int) -> str:
    return NOTHING if cell.verdict is None else format_difference(cell.verdict.difference, digits=digits)


def _format_verdict(cell: PaperCell) -> str:
    if cell.obstacle:
        return "not comparable"
    return NOTHING if cell.verdict is None else cell.verdict.text


def _describe_own(results: PaperResults) -> dict[int, list[str]]:
    """Return the notes on our rows by the identity of their results."""
    if results.study is None:
        return {}
    metrics = _list_metrics(results)
    texts = describe_table_rows(results.study, metrics, results.named.table.columns)
    return {id(row): own for row, own in zip(results.study.rows, texts, strict=True)}


def _list_metrics(results: PaperResults) -> list[Metric]:
    return [metric for metric in METRICS if metric in results.named.table.columns]


def _describe_all(results: PaperResults, *, fill_notes: Sequence[str], blocks: Sequence[Block]) -> list[TableNote]:
    """Return the notes on the whole table."""
    notes = [TableNote(text, is_warning=True) for text in fill_notes]
    if results.study is not None and results.study.has_results:
        printed = next((block.columns for block in blocks if block.columns), [])
        notes += describe_table(results.study, printed, metrics=_list_metrics(results), title=results.named.title)
    texts = [*describe_classes(results), *describe_looks(results), *describe_sources(results)]
    return notes + [TableNote(text) for text in texts]
