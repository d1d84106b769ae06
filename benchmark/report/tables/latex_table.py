"""A `TableLayout` as LaTeX, for the packages booktabs and multirow."""

from __future__ import annotations

from collections.abc import Iterable

from benchmark.report.tables.escaping import (
    UNICODE_DEFINITION,
    escape_latex,
    escape_latex_number,
    find_hidden_characters,
)
from benchmark.report.tables.layout import TICK, TableCell, TableLayout, TableNote
from benchmark.report.tables.typeset import append_spread

SHRUNK = "  \\resizebox{\\ifdim\\width>\\textwidth\\textwidth\\else\\width\\fi}{!}{%"
"""Beginning of a table that is shrunk to the width of the text if it is wider."""


def to_latex(layout: TableLayout, *, label: str = "") -> str:
    """Return a `table*` environment, as it is wider than a column; wide layouts are shrunk to the page if need be."""
    is_shrunk = bool(layout.groups) or layout.is_wide
    notes = [f"  {typeset_latex_note(note)}" for note in layout.notes]
    lines = [
        f"% needs \\usepackage{{{','.join(_list_packages(layout))}}}",
        *_define_characters(layout),
        "\\begin{table*}",
        "  \\centering",
        *([f"  \\caption{{{escape_latex(layout.title)}}}"] if layout.title else []),
        *([f"  \\label{{tab:{label}}}"] if label else []),
        *([SHRUNK] if is_shrunk else []),
        f"  \\begin{{tabular}}{{{''.join('l' if is_text else 'r' for is_text in layout.is_text)}}}",
        "    \\toprule",
        *_typeset_header(layout),
        *([] if 0 in layout.headings else ["    \\midrule"]),
        *_typeset_rows(layout),
        "    \\bottomrule",
        f"  \\end{{tabular}}{'}' if is_shrunk else ''}",
        *(["  \\par\\medskip\\footnotesize\\raggedright", " \\\\\n".join(notes)] if notes else []),
        "\\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def _list_packages(layout: TableLayout) -> list[str]:
    """Return the packages that a table needs."""
    has_ticks = any(cell.text == TICK for row in layout.cells for cell in row)
    is_shrunk = bool(layout.groups) or layout.is_wide
    packages = {"multirow": bool(layout.groups), "amssymb": has_ticks, "graphicx": is_shrunk}
    return ["booktabs", *(name for name, is_needed in packages.items() if is_needed)]


def _typeset_header(layout: TableLayout) -> list[str]:
    """Return the lines of the header: one, or two with the groups of columns above and rules below them."""
    headers = [escape_latex(header) for header in layout.header]
    if not layout.groups:
        return [_join(headers)]
    above, rules, below, start = [], [], [], 0
    for group in layout.groups:
        own = headers[start : start + group.columns]
        if group.text:
            above.append(f"\\multicolumn{{{group.columns}}}{{c}}{{{escape_latex(group.text)}}}")
            rules.append(f"\\cmidrule(lr){{{start + 1}-{start + group.columns}}}")
            below += own
        else:
            above += [f"\\multirow{{2}}{{*}}{{{header}}}" for header in own]
            below += [""] * len(own)
        start += group.columns
    return [_join(above), f"    {' '.join(rules)}", _join(below)]


def _typeset_rows(layout: TableLayout) -> list[str]:
    lines = []
    for index, row in enumerate(layout.cells):
        if heading := layout.headings.get(index):
            lines += [
                "    \\midrule",
                f"    \\multicolumn{{{len(row)}}}{{l}}{{\\textit{{{escape_latex(heading)}}}}} \\\\",
            ]
        lines.append(_join(map(typeset_latex_cell, row)))
    return lines


def typeset_latex_cell(cell: TableCell) -> str:
    """Return a cell in LaTeX; the best value is bold, the second best underlined, marks are superscripts."""
    if cell.text == TICK:
        return r"$\checkmark$"
    text = escape_latex(cell.text) if cell.is_best else escape_latex_number(cell.text)
    text = f"\\textit{{{text}}}" if cell.state and cell.text.strip() else text
    if cell.is_best:
        text = f"\\textbf{{{text}}}"
    elif cell.is_second:
        text = f"\\underline{{{text}}}"
    marks = f"\\textsuperscript{{{escape_latex(','.join(cell.marks))}}}" if cell.marks else ""
    return append_spread(text + marks, cell, lambda spread: f"{{\\scriptsize {escape_latex_number(spread)}}}")


def typeset_latex_note(note: TableNote) -> str:
    """Return a note in LaTeX, behind its mark if it has one."""
    mark = f"\\textsuperscript{{{escape_latex(note.mark)}}} " if note.mark else ""
    return mark + escape_latex(note.text)


def _define_characters(layout: TableLayout) -> list[str]:
    """Return the definition that characters beyond the fonts of pdfLaTeX need; none if there are none."""
    texts = [
        layout.title,
        *layout.header,
        *(group.text for group in layout.groups),
        *layout.headings.values(),
        *(text for row in layout.cells for cell in row for text in (cell.text, cell.spread) if text != TICK),
        *(note.text for note in layout.notes),
    ]
    hidden = find_hidden_characters("".join(texts))
    if not hidden:
        return []
    return [
        f"% pdfLaTeX prints {' '.join(hidden)} as code points; LuaLaTeX and XeLaTeX need a font that has them",
        UNICODE_DEFINITION,
    ]


def _join(fields: Iterable[str]) -> str:
    return f"    {' & '.join(fields)} \\\\"
