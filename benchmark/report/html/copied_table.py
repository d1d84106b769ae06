"""The table of a report as it is copied: cells and warnings in Markdown and LaTeX, written as `table` writes them.

The page's script only joins those that are shown, so that one place knows how to escape a text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmark.report.html.report_table import ReportTable
from benchmark.report.tables.escaping import UNICODE_COMMAND, UNICODE_DEFINITION, escape_latex, escape_markdown
from benchmark.report.tables.latex_table import typeset_latex_cell, typeset_latex_note
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote, drop_notes
from benchmark.report.tables.typeset import typeset_markdown_cell, typeset_markdown_note


def describe_copied_table(table: ReportTable) -> dict[str, Any]:
    """Return what the page copies, as JSON holds it.

    Returns:
        "markdown" and "latex", each with the texts of "header", "rows" (rows by columns) and "notes"; "noteCells", the
        [row, column] that bear the mark of each note, None if it concerns the whole table; "characterCommand" and
        "characterDefinition", the command for characters that pdfLaTeX does not know and its definition.
    """
    layout = drop_notes(
        TableLayout(
            title="",
            header=tuple(column.header for column in table.columns),
            is_text=tuple(column.is_text for column in table.columns),
            cells=table.rows,
            notes=table.notes,
        )
    )
    return {
        "markdown": _typeset(layout, escape_markdown, typeset_markdown_cell, typeset_markdown_note),
        "latex": _typeset(layout, escape_latex, typeset_latex_cell, typeset_latex_note),
        "noteCells": [_find_cells(layout, note.mark) if note.mark else None for note in layout.notes],
        "characterCommand": UNICODE_COMMAND,
        "characterDefinition": UNICODE_DEFINITION,
    }


def _typeset(
    layout: TableLayout,
    typeset_text: Callable[[str], str],
    typeset_cell: Callable[[TableCell], str],
    typeset_note: Callable[[TableNote], str],
) -> dict[str, list[Any]]:
    """Return the texts of a table in one format."""
    return {
        "header": [typeset_text(header) for header in layout.header],
        "rows": [[typeset_cell(cell) for cell in row] for row in layout.cells],
        "notes": [typeset_note(note) for note in layout.notes],
    }


def _find_cells(layout: TableLayout, mark: str) -> list[tuple[int, int]]:
    """Return the row and column of the cells with a mark."""
    return [
        (at, column) for at, row in enumerate(layout.cells) for column, cell in enumerate(row) if mark in cell.marks
    ]
