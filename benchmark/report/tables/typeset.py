"""A `TableLayout` as Markdown, as LaTeX (booktabs), and as aligned text for a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from rich.cells import cell_len

from benchmark.report.tables.escaping import (
    UNICODE_DEFINITION,
    escape_latex,
    escape_latex_number,
    escape_markdown,
    find_hidden_characters,
)
from benchmark.report.tables.layout import TableCell, TableLayout
from benchmark.utils.plain_text import clean_text

WIDTH = 120
"""Characters in a line of an aligned table and of the notes below it."""


def to_markdown(layout: TableLayout) -> str:
    """Return a pipe table; the best values are bold, marks are superscripts."""
    lines = [f"**{escape_markdown(layout.title.strip())}**", ""] if layout.title else []
    lines.append(_join_pipes(map(escape_markdown, layout.header)))
    lines.append(_join_pipes(":--" if is_text else "--:" for is_text in layout.is_text))
    lines += [_join_pipes(map(_typeset_markdown, row)) for row in layout.cells]
    lines += [""] if layout.notes else []
    for note in layout.notes:
        mark = f"<sup>{note.mark}</sup> " if note.mark else ""
        lines.append(f"- {mark}{escape_markdown(note.text)}")
    return "\n".join(lines) + "\n"


def to_latex(layout: TableLayout, *, label: str = "") -> str:
    """Return a `table*` environment for the package booktabs, as it is wider than a column."""
    rows = [_join_ampersands(map(_typeset_latex, row)) for row in layout.cells]
    marks = [f"\\textsuperscript{{{note.mark}}} " if note.mark else "" for note in layout.notes]
    notes = [f"  {mark}{escape_latex(note.text)}" for mark, note in zip(marks, layout.notes, strict=True)]
    lines = [
        "% needs \\usepackage{booktabs}",
        *_define_characters(layout),
        "\\begin{table*}",
        "  \\centering",
        *([f"  \\caption{{{escape_latex(layout.title)}}}"] if layout.title else []),
        *([f"  \\label{{tab:{label}}}"] if label else []),
        f"  \\begin{{tabular}}{{{''.join('l' if is_text else 'r' for is_text in layout.is_text)}}}",
        "    \\toprule",
        _join_ampersands(map(escape_latex, layout.header)),
        "    \\midrule",
        *rows,
        "    \\bottomrule",
        "  \\end{tabular}",
        *(["  \\par\\medskip\\footnotesize\\raggedright", " \\\\\n".join(notes)] if notes else []),
        "\\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def to_text(layout: TableLayout, *, width: int | None = WIDTH) -> str:
    """Return columns padded with spaces, numbers and spreads each aligned; the best values have a star.

    Args:
        layout: Table.
        width: Characters in a line. Columns beyond it go into further blocks below, each of which repeats the labels of
            the rows. None for all columns side by side.
    """
    first, *others = (_pad_column(*column) for column in _iterate_columns(layout))
    lines = [clean_text(layout.title)] if layout.title else []
    blocks = _split_blocks(first, others, width=width)
    rule = "─" * max(map(_measure_width, blocks))
    for block in blocks:
        header, *body = ("  ".join(fields).rstrip() for fields in zip(*block, strict=True))
        lines += [rule, header, rule, *body]
    lines.append(rule)
    for note in layout.notes:
        mark = f"{note.mark}: " if note.mark else ""
        text = mark + clean_text(note.text)
        lines += textwrap.wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return "\n".join(lines) + "\n"


def _typeset_markdown(cell: TableCell) -> str:
    text = f"**{escape_markdown(cell.text)}**" if cell.is_best else escape_markdown(cell.text)
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    return _append_spread(text + marks, cell, escape_markdown)


def _typeset_latex(cell: TableCell) -> str:
    text = f"\\textbf{{{escape_latex(cell.text)}}}" if cell.is_best else escape_latex_number(cell.text)
    marks = f"\\textsuperscript{{{','.join(cell.marks)}}}" if cell.marks else ""
    return _append_spread(text + marks, cell, lambda spread: f"{{\\scriptsize {escape_latex_number(spread)}}}")


def _iterate_columns(layout: TableLayout) -> Iterator[tuple[str, Sequence[TableCell], bool]]:
    """Yield header, cells and alignment of every column."""
    return zip(layout.header, zip(*layout.cells, strict=True), layout.is_text, strict=True)


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
    has_star = any(cell.is_best for cell in cells)
    marks = [f" ({','.join(cell.marks)})" if cell.marks else "" for cell in cells]
    texts = [
        clean_text(cell.text) + ("*" if cell.is_best else " " * has_star) + mark
        for cell, mark in zip(cells, marks, strict=True)
    ]
    width, spread_width = max(map(cell_len, texts)), max(len(cell.spread) for cell in cells)
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


def _define_characters(layout: TableLayout) -> list[str]:
    """Return the definition that characters beyond the fonts of pdfLaTeX need; none if there are none."""
    texts = [layout.title, *(cell.text for row in layout.cells for cell in row), *(note.text for note in layout.notes)]
    hidden = find_hidden_characters("".join((*texts, *layout.header)))
    if not hidden:
        return []
    return [
        f"% pdfLaTeX prints {' '.join(hidden)} as code points; LuaLaTeX and XeLaTeX need a font that has them",
        UNICODE_DEFINITION,
    ]


def _append_spread(text: str, cell: TableCell, typeset: Callable[[str], str]) -> str:
    return f"{text} {typeset(cell.spread)}" if cell.spread else text


def _join_pipes(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _join_ampersands(fields: Iterable[str]) -> str:
    return f"    {' & '.join(fields)} \\\\"
