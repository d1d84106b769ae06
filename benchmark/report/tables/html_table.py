"""A `TableLayout` as HTML without styles of its own: a table with a caption, and its notes as a list."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from benchmark.report.tables.layout import TableCell, TableLayout
from benchmark.utils.plain_text import clean_text


def to_html(layout: TableLayout) -> str:
    """Return a table element and a list of notes.

    The best values are bold, the second best underlined, values that are no plain results of ours italic and of a class
    named by their state; marks are superscripts.
    """
    align = ["left" if is_text else "right" for is_text in layout.is_text]
    lines = ["<table>"]
    lines += [f"  <caption>{_escape(layout.title)}</caption>"] if layout.title else []
    lines += ["  <thead>", *_typeset_groups(layout), _join_cells("th", map(_escape, layout.header), align)]
    lines += ["  </thead>", "  <tbody>"]
    for index, row in enumerate(layout.cells):
        if heading := layout.headings.get(index):
            lines.append(f'    <tr><th colspan="{len(row)}" align="left"><em>{_escape(heading)}</em></th></tr>')
        lines.append(_join_cells("td", map(_typeset, row), align))
    lines += ["  </tbody>", "</table>"]
    if layout.notes:
        lines += ["<ul>"]
        for note in layout.notes:
            mark = f"<sup>{note.mark}</sup> " if note.mark else ""
            lines.append(f"  <li>{mark}{_escape(note.text)}</li>")
        lines += ["</ul>"]
    return "\n".join(lines) + "\n"


def _typeset_groups(layout: TableLayout) -> list[str]:
    """Return the line of the groups of columns; none if there are none."""
    if not layout.groups:
        return []
    cells = (f'<th colspan="{group.columns}">{_escape(group.text)}</th>' for group in layout.groups)
    return [f"    <tr>{''.join(cells)}</tr>"]


def _typeset(cell: TableCell) -> str:
    text = _escape(cell.text)
    text = f"<strong>{text}</strong>" if cell.is_best else f"<u>{text}</u>" if cell.is_second else text
    text = f'<em class="{_escape(cell.state)}">{text}</em>' if cell.state and text.strip() else text
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    return f"{text}{marks}" + (f" <small>{_escape(cell.spread)}</small>" if cell.spread else "")


def _join_cells(tag: str, texts: Iterable[str], align: Iterable[str]) -> str:
    cells = (f'<{tag} align="{side}">{text}</{tag}>' for text, side in zip(texts, align, strict=True))
    return f"    <tr>{''.join(cells)}</tr>"


def _escape(text: str) -> str:
    return escape(clean_text(text), quote=False)
