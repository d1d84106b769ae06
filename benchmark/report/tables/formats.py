"""Formats of printed tables: a `TableLayout` as text of any of them."""

from __future__ import annotations

import re
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


def format_layout(layout: TableLayout, fmt: str, *, width: int | None = WIDTH) -> str:
    """Return a table in a printed format: md, tex, txt or html.

    Args:
        layout: Table.
        fmt: Format.
        width: Characters in a line of aligned text; None for all columns side by side.
    """
    if fmt == "tex":
        return to_latex(layout, label=re.sub(r"[^a-z0-9]+", "-", layout.title.lower()).strip("-"))
    if fmt == "html":
        return to_html(layout)
    return to_markdown(layout) if fmt == "md" else to_text(layout, width=width)
