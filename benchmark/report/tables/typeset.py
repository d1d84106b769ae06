"""A `Sheet` as Markdown, as LaTeX (booktabs), and as aligned text for a terminal."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence

from benchmark.report.tables.sheet import Entry, Sheet

WIDTH = 120
"""Characters in a line of an aligned table and of the notes below it."""

_TEX = {
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


def markdown(sheet: Sheet) -> str:
    """A pipe table; the best are bold, marks are superscripts."""
    lines = [f"**{_md(sheet.title)}**", ""] if sheet.title else []
    lines += [_pipes(map(_md, sheet.header)), _pipes(":--" if is_words else "--:" for is_words in sheet.is_words)]
    lines += [_pipes(_md_entry(entry) for entry in row) for row in sheet.entries]
    lines.append("")
    lines += [f"- {f'<sup>{note.mark}</sup> ' if note.mark else ''}{_md(note.text)}" for note in sheet.notes]
    return "\n".join(lines) + "\n"


def latex(sheet: Sheet, *, label: str = "") -> str:
    """A table environment for the package booktabs; wider than a column, hence `table*`."""
    rows = [_tex_line(map(_tex_entry, row)) for row in sheet.entries]
    notes = [
        f"  \\textsuperscript{{{note.mark}}} {tex(note.text)}" if note.mark else f"  {tex(note.text)}"
        for note in sheet.notes
    ]
    lines = [
        "% needs \\usepackage{booktabs}",
        "\\begin{table*}",
        "  \\centering",
        *([f"  \\caption{{{tex(sheet.title)}}}"] if sheet.title else []),
        *([f"  \\label{{tab:{label}}}"] if label else []),
        f"  \\begin{{tabular}}{{{''.join('l' if is_words else 'r' for is_words in sheet.is_words)}}}",
        "    \\toprule",
        _tex_line(map(tex, sheet.header)),
        "    \\midrule",
        *rows,
        "    \\bottomrule",
        "  \\end{tabular}",
        "  \\par\\medskip\\footnotesize\\raggedright",
        " \\\\\n".join(notes),
        "\\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def aligned(sheet: Sheet) -> str:
    """Columns padded with spaces, numbers and their spreads one below the other; the best have a star.

    Columns beyond `WIDTH` go into further blocks below, each of which names the rows again.
    """
    first, *others = (_padded_column(*parts) for parts in _columns(sheet))
    lines = [sheet.title] if sheet.title else []
    blocks = _blocks(first, others)
    rule = "─" * max(map(_width, blocks))
    for block in blocks:
        header, *body = ("  ".join(fields).rstrip() for fields in zip(*block, strict=True))
        lines += [rule, header, rule, *body]
    lines.append(rule)
    for note in sheet.notes:
        head = f"{note.mark}: " if note.mark else ""
        lines += textwrap.wrap(head + note.text, WIDTH, subsequent_indent="  ", break_long_words=False)
    return "\n".join(lines) + "\n"


def tex(text: str) -> str:
    """Plain text as LaTeX."""
    return "".join(_TEX.get(character, character) for character in text)


def _md(text: str) -> str:
    for character in "\\`*_[]<>|":
        text = text.replace(character, f"\\{character}")
    return text


def _md_entry(entry: Entry) -> str:
    text = f"**{_md(entry.text)}**" if entry.is_best else _md(entry.text)
    marks = f"<sup>{','.join(entry.marks)}</sup>" if entry.marks else ""
    return _spread(text + marks, entry, _md)


def _tex_entry(entry: Entry) -> str:
    text = f"\\textbf{{{tex(entry.text)}}}" if entry.is_best else _tex_number(entry.text)
    marks = f"\\textsuperscript{{{','.join(entry.marks)}}}" if entry.marks else ""
    return _spread(text + marks, entry, lambda spread: f"{{\\scriptsize {_tex_number(spread)}}}")


def _tex_number(text: str) -> str:
    """As `tex`, with hyphens before figures as minus signs and a lone one as a dash."""
    return "--" if text == "-" else re.sub(r"(?<![A-Za-z0-9])-(?=\d)", "$-$", tex(text))


def _columns(sheet: Sheet) -> Iterator[tuple[str, Sequence[Entry], bool]]:
    return zip(sheet.header, zip(*sheet.entries, strict=True), sheet.is_words, strict=True)


def _blocks(first: list[str], others: Iterable[list[str]]) -> list[list[list[str]]]:
    """The columns in groups that are not wider than `WIDTH`, the first one in each."""
    blocks = [[first]]
    for column in others:
        if len(blocks[-1]) > 1 and _width([*blocks[-1], column]) > WIDTH:
            blocks.append([first])
        blocks[-1].append(column)
    return blocks


def _width(columns: Sequence[list[str]]) -> int:
    return sum(len(column[0]) for column in columns) + 2 * (len(columns) - 1)


def _padded_column(header: str, entries: Sequence[Entry], is_words: bool) -> list[str]:
    """Header and entries, all as wide as the widest; figures are aligned right, words left."""
    has_star = any(entry.is_best for entry in entries)
    marks = [f" ({','.join(entry.marks)})" if entry.marks else "" for entry in entries]
    texts = [
        entry.text + ("*" if entry.is_best else " " * has_star) + mark
        for entry, mark in zip(entries, marks, strict=True)
    ]
    width, room = max(map(len, texts)), max(len(entry.spread) for entry in entries)
    aligned_texts = [text.ljust(width) if is_words else text.rjust(width) for text in texts]
    fields = [
        f"{text} {entry.spread.ljust(room)}" if room else text
        for text, entry in zip(aligned_texts, entries, strict=True)
    ]
    whole = max(len(header), len(fields[0]))
    return [text.ljust(whole) if is_words else text.rjust(whole) for text in (header, *fields)]


def _spread(text: str, entry: Entry, shown: Callable[[str], str]) -> str:
    return f"{text} {shown(entry.spread)}" if entry.spread else text


def _pipes(fields: Iterable[str]) -> str:
    return f"| {' | '.join(fields)} |"


def _tex_line(fields: Iterable[str]) -> str:
    return f"    {' & '.join(fields)} \\\\"
