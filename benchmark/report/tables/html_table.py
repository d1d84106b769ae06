"""A `TableLayout` as HTML without styles of its own: a table with a caption, and its notes as a list."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from benchmark.report.tables.layout import TableCell, TableLayout
from benchmark.utils.plain_text import clean_text


def to_html(layout: TableLayout) -> str:
    """Return a table element and a list of notes; the best values are bold, marks are superscripts."""
    align = ["left" if is_text else "right" for is_text in layout.is_text]
    lines = ["<table>"]
    lines += [f"  <caption>{_escape(layout.title)}</caption>"] if layout.title else []
    lines += ["  <thead>", _join_cells("th", map(_escape, layout.header), align), "  </thead>", "  <tbody>"]
    lines += [_join_cells("td", map(_typeset, row), align) for row in layout.cells]
    lines += ["  </tbody>", "</table>"]
    if layout.notes:
        lines += ["<ul>"]
        for note in layout.notes:
            mark = f"<sup>{note.mark}</sup> " if note.mark else ""
            lines.append(f"  <li>{mark}{_escape(note.text)}</li>")
        lines += ["</ul>"]
    return "\n".join(lines) + "\n"


def _typeset(cell: TableCell) -> str:
    text = f"<strong>{_escape(cell.text)}</strong>" if cell.is_best else _escape(cell.text)
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    return f"{text}{marks}" + (f" <small>{_escape(cell.spread)}</small>" if cell.spread else "")


def _join_cells(tag: str, texts: Iterable[str], align: Iterable[str]) -> str:
    cells = (f'<{tag} align="{side}">{text}</{tag}>' for text, side in zip(texts, align, strict=True))
    return f"    <tr>{''.join(cells)}</tr>"


def _escape(text: str) -> str:
    return escape(clean_text(text), quote=False)
