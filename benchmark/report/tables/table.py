"""Rows as a table: one call, five forms, the same bytes for the same runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal, get_args

from benchmark.report.paired import Difference, differences, is_due
from benchmark.report.rows import Row, Setting, shared_setting
from benchmark.report.tables import columns, export, typeset
from benchmark.report.tables.notes import general_notes, row_notes
from benchmark.report.tables.sheet import Entry, Note, Sheet, marked_notes
from benchmark.utils.did_you_mean import unknown_name

Form = Literal["md", "csv", "json", "tex", "txt"]
FORMS: tuple[Form, ...] = get_args(Form)


def render(
    rows: Sequence[Row], *, fmt: str = "txt", title: str = "", paired: bool | None = None, digits: int = 1
) -> str:
    """Draw a table.

    Args:
        rows: as `rows.collect` gives them; the first is what others are compared with.
        fmt: one of `FORMS`.
        title: caption.
        paired: whether to show differences to the first row; None does so once no run is missing.
        digits: decimals of scores.

    Raises:
        KeyError: an unknown form; names the nearest.
        ValueError: no rows, or rows of different splits, data, limits or conventions.
    """
    if fmt not in FORMS:
        raise KeyError(unknown_name("table form", fmt, FORMS))
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    setting = shared_setting(rows)
    wanted = is_due(rows) if paired is None else paired
    compared: list[Difference | None] = differences(rows) if wanted else [None] * len(rows)
    sheet = lay_out(rows, setting=setting, compared=compared, title=title, digits=digits)
    if fmt == "json":
        return export.json_text(rows, sheet, setting=setting, differences=compared)
    if fmt == "csv":
        return export.csv_text(rows, setting=setting, differences=compared)
    if fmt == "tex":
        return typeset.latex(sheet, label=re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
    return typeset.markdown(sheet) if fmt == "md" else typeset.aligned(sheet)


def lay_out(
    rows: Sequence[Row], *, setting: Setting | None, compared: Sequence[Difference | None], title: str, digits: int
) -> Sheet:
    """The table before it is typeset."""
    marks, below = marked_notes(row_notes(rows))
    labels = [Entry(row.label, marks=mark) for row, mark in zip(rows, marks, strict=True)]
    shown = [columns.Column("Method", tuple(labels), is_words=True)]
    if len({row.supervision for row in rows if row.supervision}) > 1:
        shown.append(columns.supervision_column(rows))
    shown += columns.score_columns(rows, digits=digits)
    shown.append(columns.seeds_column(rows))
    if any(one is not None for one in compared):
        shown += columns.difference_columns(compared, digits=digits)
    if any(row.cost is not None for row in rows):
        shown += columns.cost_columns(rows)
    return Sheet(
        title=title,
        header=tuple(column.header for column in shown),
        is_words=tuple(column.is_words for column in shown),
        entries=tuple(zip(*(column.entries for column in shown), strict=True)),
        notes=(*below, *(Note(text) for text in general_notes(rows, setting, compared))),
    )
