"""A paper's table as text, in every format of tables."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.report.papers.paper_frame import to_frame, to_json
from benchmark.report.papers.paper_layout import lay_out_paper
from benchmark.report.papers.paper_results import PaperResults
from benchmark.report.tables.formats import check_format, format_layout
from benchmark.report.tables.json_text import format_csv
from benchmark.report.tables.layout import drop_notes
from benchmark.report.tables.selection import SelectedColumns
from benchmark.report.tables.typeset import WIDTH


def render_paper(
    results: PaperResults,
    columns: SelectedColumns,
    *,
    fmt: str = "txt",
    digits: int = 1,
    width: int | None = WIDTH,
    has_notes: bool = True,
    fill_notes: Sequence[str] = (),
) -> str:
    """Return a paper's table as text; the same bytes for the same runs and published numbers.

    Args:
        results: Results of the table.
        columns: Columns of each dataset.
        fmt: Format, one of `formats.FORMATS`.
        digits: Decimals of scores in printed formats.
        width: Characters in a line of aligned text; None for all columns side by side.
        has_notes: Whether printed formats and json have notes; warnings stay in any case.
        fill_notes: Notes on missing runs and the commands that compute them.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    check_format(fmt)
    if fmt == "csv":
        return format_csv(to_frame(results))
    layout = lay_out_paper(results, columns, digits=digits, fill_notes=fill_notes)
    layout = layout if has_notes else drop_notes(layout)
    return to_json(results, layout) if fmt == "json" else format_layout(layout, fmt, width=width)
