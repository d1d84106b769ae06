"""Formats of printed tables: a `TableLayout` as text of any of them, and csv without pandas."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from benchmark.report.tables.html_table import to_html
from benchmark.report.tables.latex_table import to_latex
from benchmark.report.tables.layout import TableLayout
from benchmark.report.tables.typeset import WIDTH, to_markdown, to_text
from benchmark.utils.did_you_mean import explain_unknown_name

Format = Literal["md", "csv", "json", "tex", "txt", "html"]
FORMATS: tuple[Format, ...] = get_args(Format)
"""Formats of tables; csv and json have no layout."""


def check_format(fmt: str) -> None:
    """Check the name of a format.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("table format", fmt, FORMATS))


def format_layout(layout: TableLayout, fmt: str, *, width: int | None = WIDTH, label: str = "") -> str:
    """Return a table in a printed format: md, tex, txt or html.

    Args:
        layout: Table.
        fmt: Format.
        width: Characters in a line of aligned text; None for all columns side by side.
        label: Label of the table in LaTeX; if empty, one made from its title.
    """
    if fmt == "tex":
        return to_latex(layout, label=label or re.sub(r"[^a-z0-9]+", "-", layout.title.lower()).strip("-"))
    if fmt == "html":
        return to_html(layout)
    return to_markdown(layout) if fmt == "md" else to_text(layout, width=width)


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str | float | None]]) -> str:
    """Return rows as csv, with nothing for None."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return file.getvalue()
