"""A `TableLayout` as Markdown, as LaTeX (booktabs), and as aligned text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmark.report.tables.layout import TableCell, TableLayout

WIDTH = 120
"""Characters in a line of an aligned table and of the notes below it."""

_LATEX = {
    **{character: f"\\{character}" for character in "&%$#_{}"},
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "<": "$<$",
    ">": "$>$",
    "±": "$\\pm$",
    "Δ": "$\\Delta$",
    "→": "$\\rightarrow$",
    "…": "\\ldots{}",
    "[": "{[}",
    "]": "{]}",
}


def to_markdown(layout: TableLayout) -> str:
    """Return a pipe table; the best values are bold, marks are superscripts."""
    lines = [f"**{_escape_markdown(layout.title)}**", ""] if layout.title else []
    lines.append(_join_pipes(map(_escape_markdown, layout.header)))
    lines.append(_join_pipes(":--" if is_text else "--:" for is_text in layout.is_text))
    lines += [_join_pipes(map(_typeset_markdown, row)) for row in layout.cells]
    lines.append("")
    for note in layout.notes:
        mark = f"<sup>{note.mark}</sup> " if note.mark else ""
        lines.append(f"- {mark}{_escape_markdown(note.text)}")
    return "\n".join(lines) + "\n"


def to_latex(layout: TableLayout, *, label: str = "") -> str:
    """Return a `table*` environment for the package booktabs, as it is wider than a column."""
    rows = [_join_ampersands(map(_typeset_latex, row)) for row in layout.cells]
    marks = [f"\\textsuperscript{{{note.mark}}} " if note.mark else "" for note in layout.notes]
    notes = [f"  {mark}{_escape_latex(note.text)}" for mark, note in zip(marks, layout.notes, strict=True)]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table*}",
        "  \\centering",
        *([f"  \\caption{{{_escape_latex(layout.title)}}}"] if layout.title else []),
        *([f"  \\label{{tab:{label}}}"] if label else []),
        f"  \\begin{{tabular}}{{{''.join('l' if is_text else 'r' for is_text in layout.is_text)}}}",
        "    \\toprule",
        _join_ampersands(map(_escape_latex, layout.header)),
        "    \\midrule",
        *rows,
        "    \\bottomrule",
        "  \\end{tabular}",
        "  \\par\\medskip\\footnotesize\\raggedright",
        " \\\\\n".join(notes),
        "\\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def to_text(layout: TableLayout) -> str:
    """Return columns padded with spaces, numbers and spreads each aligned; the best values have a star.

    Columns beyond `WIDTH` go into further blocks below, each of which repeats the labels of the rows.
    """
    first, *others = (_pad_column(*column) for column in _iterate_columns(layout))
    lines = [layout.title] if layout.title else []
    blocks = _split_blocks(first, others)
    rule = "─" * max(map(_measure_width, blocks))
    for block in blocks:
        header, *body = ("  ".join(fields).rstrip() for fields in zip(*block, strict=True))
        lines += [rule, header, rule, *body]
    lines.append(rule)
    for note in layout.notes:
        mark = f"{note.mark}: " if note.mark else ""
        lines += textwrap.wrap(mark + note.text, WIDTH, subsequent_indent="  ", break_long_words=False)
    return "\n".join(lines) + "\n"


def _escape_markdown(text: str) -> str:
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text


def _escape_latex(text: str) -> str:
    return "".join(_LATEX.get(character, character) for character in text)


def _typeset_markdown(cell: TableCell) -> str:
    text = f"**{_escape_markdown(cell.text)}**" if cell.is_best else _escape_markdown(cell.text)
    marks = f"<sup>{','.join(cell.marks)}</sup>" if cell.marks else ""
    return _append_spread(text + marks, cell, _escape_markdown)


def _typeset_latex(cell: TableCell) -> str:
    text = f"\\textbf{{{_escape_latex(cell.text)}}}" if cell.is_best else _escape_latex_number(cell.text)
    marks = f"\\textsuperscript{{{','.join(cell.marks)}}}" if cell.marks else ""
    return _append_spread(text + marks, cell, lambda spread: f"{{\\scriptsize {_escape_latex_number(spread)}}}")


def _escape_latex_number(text: str) -> str:
    """Escape a text, with hyphens before digits as minus signs and a lone hyphen as a dash."""
    return "--" if text == "-" else re.sub(r"(?<![A-Za-z0-9])-(?=\d)", "$-$", _escape_latex(text))


def _iterate_columns(layout: TableLayout) -> Iterator[tuple[str, Sequence[TableCell], bool]]:
    """Yield header, cells and alignment of every column."""
    return zip(layout.header, zip(*layout.cells, strict=True), layout.is_text, strict=True)


def _split_blocks(first: list[str], others: Iterable[list[str]]) -> list[list[list[str]]]:
    """Return the columns in groups that are not wider than `WIDTH`, the first column in each."""
    blocks = [[first]]
    for column in others:
        if len(blocks[-1]) > 1 and _measure_width([*blocks[-1], column]) > WIDTH:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _measure_width(columns: Sequence[list[str]]) -> int:
    return sum(len(column[0]) for column in columns) + 2 * (len(columns) - 1)


def _pad_column(header: str, cells: Sequence[TableCell], is_text: bool) -> list[str]:
    """Return header and cells, all as wide as the widest; numbers are aligned right, text left."""
    has_star = any(cell.is_best for cell in cells)
    marks = [f" ({','.join(cell.marks)})" if cell.marks else "" for cell in cells]
    texts = [
        cell.text + ("*" if cell.is_best else " " * has_star) + mark for cell, mark in zip(cells, marks, strict=True)
    ]
    width, spread_width = max(map(len, texts)), max(len(cell.spread) for cell in cells)
    aligned_texts = [text.ljust(width) if is_text else text.rjust(width) for text in texts]
    fields = [
        f"{text} {cell.spread.ljust(spread_width)}" if spread_width else text
        for text, cell in zip(aligned_texts, cells, strict=True)
    ]
    whole_width = max(len(header), len(fields[0]))
    return [text.ljust(whole_width) if is_text else text.rjust(whole_width) for text in (header, *fields)]


def _append_spread(text: str, cell: TableCell, typeset: Callable[[str], str]) -> str:
    return f"{text} {typeset(cell.spread)}" if cell.spread else text


def _join_pipes(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _join_ampersands(fields: Iterable[str]) -> str:
    return f"    {' & '.join(fields)} \\\\"
