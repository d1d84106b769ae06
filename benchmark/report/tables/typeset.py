"""A `TableLayout` as Markdown and as aligned text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.cells import cell_len

from benchmark.report.tables.escaping import escape_markdown
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote
from benchmark.utils.plain_text import clean_text

WIDTH = 120
"""Characters in a line of an aligned table and of the notes below it."""


def to_markdown(layout: TableLayout) -> str:
    """Return a pipe table; the best values are bold, the second best underlined, marks are superscripts.

    Markdown has one line of headers, so groups of columns are named in front of each of their headers.
    """
    lines = [f"**{escape_markdown(layout.title.strip())}**", ""] if layout.title else []
    lines.append(_join_pipes(map(escape_markdown, join_headers(layout))))
    lines.append(_join_pipes(":--" if is_text else "--:" for is_text in layout.is_text))
    for index, row in enumerate(layout.cells):
        if heading := layout.headings.get(index):
            lines.append(_join_pipes([f"*{escape_markdown(heading)}*", *[""] * (len(row) - 1)]))
        lines.append(_join_pipes(map(typeset_markdown_cell, row)))
    lines += [""] if layout.notes else []
    lines += [typeset_markdown_note(note) for note in layout.notes]
    return "\n".join(lines) + "\n"


def to_text(layout: TableLayout, *, width: int | None = WIDTH) -> str:
    """Return columns padded with spaces, numbers and spreads each aligned.

    The best values have a star, the second best a plus. Every group of columns is a block of its own.

    Args:
        layout: Table.
        width: Characters in a line. Columns beyond it go into further blocks below, each of which repeats the labels of
            the rows. None for all columns side by side.
    """
    first, *others = (_pad_column(*column) for column in _iterate_columns(layout))
    lines = [clean_text(layout.title)] if layout.title else []
    blocks = [
        (group, block)
        for group, columns in _split_groups(layout, others)
        for block in _split_blocks(first, columns, width=width)
    ]
    rule = "─" * max(_measure_width(block) for _, block in blocks)
    for group, block in blocks:
        header, *body = ("  ".join(fields).rstrip() for fields in zip(*block, strict=True))
        lines += [rule, *([clean_text(group)] if group else []), header, rule, *_insert_headings(layout, body)]
    lines.append(rule)
    for note in layout.notes:
        mark = f"{note.mark}: " if note.mark else ""
        text = mark + clean_text(note.text)
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def join_headers(layout: TableLayout) -> list[str]:
    """Return a header per column in one line, with that of its group in front if there are several groups."""
    groups = [group.text for group in layout.groups for _ in range(group.columns)] or [""] * len(layout.header)
    has_several = len(set(groups) - {""}) > 1
    return [
        f"{group} {header}" if group and has_several else header
        for group, header in zip(groups, layout.header, strict=True)
    ]


def _split_groups(layout: TableLayout, columns: list[list[str]]) -> list[tuple[str, list[list[str]]]]:
    """Return the columns behind the first one by group, each with its header; those without one join the first."""
    if len([group for group in layout.groups if group.text]) < 2:
        return [("", columns)]
    groups: list[tuple[str, list[list[str]]]] = []
    rest, without = list(columns), layout.groups[0].columns - 1 if not layout.groups[0].text else 0
    leading, rest = rest[:without], rest[without:]
    for group in layout.groups:
        if group.text:
            groups.append((group.text, [*(leading if not groups else []), *rest[: group.columns]]))
            rest = rest[group.columns :]
    return groups


def _insert_headings(layout: TableLayout, lines: Sequence[str]) -> list[str]:
    """Return the lines of the rows with the headings of sections."""
    headings = layout.headings
    return [
        text
        for index, line in enumerate(lines)
        for text in ([f"[{clean_text(headings[index])}]"] if index in headings else []) + [line]
    ]


def typeset_markdown_note(note: TableNote) -> str:
    """Return a note as an item of a list in Markdown, behind its mark if it has one."""
    mark = f"<sup>{note.mark}</sup> " if note.mark else ""
    return f"- {mark}{escape_markdown(note.text)}"


def typeset_markdown_cell(cell: TableCell) -> str:
    """Return a cell in Markdown, see `to_markdown`."""
    text = escape_markdown(cell.text)
    text = f"**{text}**" if cell.is_best else f"<u>{text}</u>" if cell.is_second else text
    text = f"*{text}*" if cell.state and text.strip() else text
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    return append_spread(text + marks, cell, escape_markdown)


def _iterate_columns(layout: TableLayout) -> Iterator[tuple[str, Sequence[TableCell], bool]]:
    """Yield header, cells and alignment of every column."""
    columns = zip(*layout.cells, strict=True) if layout.cells else ((),) * len(layout.header)
    return zip(layout.header, columns, layout.is_text, strict=True)


def _split_blocks(first: list[str], others: Iterable[list[str]], *, width: int | None) -> list[list[list[str]]]:
    """Return the columns in groups that are not wider than allowed, the first column in each."""
    blocks = [[first]]
    for column in others:
        if width is not None and len(blocks[-1]) > 1 and _measure_width([*blocks[-1], column]) > width:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _measure_width(columns: Sequence[list[str]]) -> int:
    return sum(cell_len(column[0]) for column in columns) + 2 * (len(columns) - 1)


def _pad_column(header: str, cells: Sequence[TableCell], is_text: bool) -> list[str]:
    """Return header and cells, all as wide as the widest; numbers are aligned right, text left."""
    has_star = any(cell.is_best or cell.is_second for cell in cells)
    marks = [f" ({','.join(cell.marks)})" if cell.marks else "" for cell in cells]
    texts = [
        clean_text(cell.text) + ("*" if cell.is_best else "+" if cell.is_second else " " * has_star) + mark
        for cell, mark in zip(cells, marks, strict=True)
    ]
    width, spread_width = max(map(cell_len, texts), default=0), max((len(cell.spread) for cell in cells), default=0)
    fields = [
        f"{text} {cell.spread.ljust(spread_width)}" if spread_width else text
        for text, cell in zip((_pad(text, width, is_text) for text in texts), cells, strict=True)
    ]
    fields = [clean_text(header), *fields]
    whole_width = max(map(cell_len, fields))
    return [_pad(text, whole_width, is_text) for text in fields]


def _pad(text: str, width: int, is_text: bool) -> str:
    """Return a text with spaces up to this number of columns of a terminal, in which some characters take two."""
    spaces = " " * (width - cell_len(text))
    return text + spaces if is_text else spaces + text


def append_spread(text: str, cell: TableCell, typeset: Callable[[str], str]) -> str:
    """Return the text of a cell with its spread behind it, in the syntax that a function gives it."""
    return f"{text} {typeset(cell.spread)}" if cell.spread else text


def _join_pipes(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"
