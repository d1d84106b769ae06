"""Table of disagreements between published numbers: one function, six formats."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.published.checks import Disagreement
from benchmark.report.tables.formats import check_format, format_layout, write_csv
from benchmark.report.tables.json_text import dump_json
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote, assign_marks, drop_notes

KINDS = {"hiou": "hIoU", "average": "average", "sources": "sources"}
HEADER = ("What", "Where", "Numbers")
UNEXPLAINED = "not explained"
FIELDS = ("kind", "subject", "numbers", "explanation", "rows")


def render_disagreements(
    found: Sequence[Disagreement],
    *,
    unused: Sequence[str] = (),
    fmt: str = "txt",
    has_notes: bool = True,
) -> str:
    """Return disagreements as a table; their explanations are the notes of printed formats.

    Args:
        found: Disagreements.
        unused: Subjects of explanations that explain nothing.
        fmt: Format, one of `formats.FORMATS`.
        has_notes: Whether printed formats have the explanations; warnings stay in any case.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    check_format(fmt)
    if fmt == "csv":
        return write_csv(
            FIELDS, ([item.kind, item.subject, item.numbers, item.explanation, "; ".join(item.rows)] for item in found)
        )
    if fmt == "json":
        values = [item.model_dump(mode="json") | {"is_explained": item.is_explained} for item in found]
        return dump_json({"disagreements": values, "unused_explanations": list(unused)})
    layout = lay_out_disagreements(found, unused)
    return format_layout(layout if has_notes else drop_notes(layout), fmt, width=None, label="disagreements")


def lay_out_disagreements(found: Sequence[Disagreement], unused: Sequence[str]) -> TableLayout:
    """Return disagreements as a table, with a mark for each explanation."""
    texts = [[item.explanation or UNEXPLAINED] for item in found]
    marks, notes = assign_marks(texts, warnings={UNEXPLAINED})
    cells = tuple(
        (TableCell(KINDS[item.kind], marks=mark), TableCell(item.subject), TableCell(item.numbers))
        for item, mark in zip(found, marks, strict=True)
    )
    count = sum(not item.is_explained for item in found)
    title = f"Published numbers that do not fit each other: {len(found)}, of which {count} are not explained"
    warnings = [
        TableNote(f"explanation of nothing, since the numbers changed: {name}", is_warning=True) for name in unused
    ]
    return TableLayout(title, HEADER, (True, True, True), cells, (*notes, *warnings))
