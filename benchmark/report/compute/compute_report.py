"""Compute report as text: table, notes and a paragraph for the paper, the same in LaTeX, csv and JSON."""

from __future__ import annotations

from typing import Literal, get_args

from benchmark.report.compute.compute_rows import Compute
from benchmark.report.compute.compute_table import describe_sum, lay_out, list_notes, list_values
from benchmark.report.compute.paragraph import write_paragraph
from benchmark.report.tables.escaping import escape_latex, escape_markdown
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.report.tables.latex_table import to_latex
from benchmark.report.tables.typeset import WIDTH, to_markdown, to_text
from benchmark.utils.did_you_mean import explain_unknown_name

Format = Literal["txt", "md", "tex", "csv", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)


def render(compute: Compute, *, fmt: str = "txt", width: int | None = WIDTH) -> str:
    """Return a compute report as text.

    Args:
        compute: Compute as `compute_rows.collect_compute` returns it.
        fmt: Format, one of `FORMATS`.
        width: Characters in a line of aligned text; None for all columns side by side.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
        ValueError: There is no attempt at any run.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("format of compute reports", fmt, FORMATS))
    if not (compute.rows or compute.tuning):
        raise ValueError("no run of these names has a record or an attempt, so there is no compute to report")
    paragraph = write_paragraph(compute)
    if fmt == "csv":
        from pandas import DataFrame

        return format_csv(DataFrame(list_values(compute)))
    if fmt == "json":
        return dump_json(_describe(compute, paragraph))
    layout = lay_out(compute)
    if fmt == "tex":
        return f"{to_latex(layout, label='compute')}\n{escape_latex(paragraph)}\n"
    if fmt == "md":
        return f"{to_markdown(layout)}\n{escape_markdown(paragraph)}\n"
    return f"{to_text(layout, width=width)}\n{paragraph}\n"


def _describe(compute: Compute, paragraph: str) -> dict[str, object]:
    return {
        "title": compute.title,
        "rows": list_values(compute),
        "total": describe_sum(compute.rows),
        "tuning": describe_sum(compute.tuning) if compute.tuning_names else None,
        "tuning_studies": list(compute.tuning_names),
        "planned_runs_without_attempts": compute.num_never_run,
        "imported_predictions": compute.num_imported,
        "notes": list_notes(compute),
        "paragraph": paragraph,
        "paragraph_latex": escape_latex(paragraph),
    }
