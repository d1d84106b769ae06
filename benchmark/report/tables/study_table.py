"""Table of a study: one function, five formats, the same bytes for the same runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from benchmark.report.differences import AdjustedDifference, compare_with_first, is_comparison_due
from benchmark.report.frame import list_records, to_run_frame
from benchmark.report.rows import EvaluationSetting, Row, RunResult, find_shared_setting
from benchmark.report.tables import typeset
from benchmark.report.tables.columns import COLUMNS, TableRow, build_row_frame
from benchmark.report.tables.json_text import DECIMALS, dump_json
from benchmark.report.tables.layout import TableLayout, TableNote, assign_marks
from benchmark.report.tables.notes import describe_rows, describe_setting, describe_sources, digest_runs
from benchmark.utils.did_you_mean import explain_unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame

Format = Literal["md", "csv", "json", "tex", "txt"]
FORMATS: tuple[Format, ...] = get_args(Format)


def render(
    rows: Sequence[Row], *, fmt: str = "txt", title: str = "", paired: bool | None = None, digits: int = 1
) -> str:
    """Return the table of a study as text.

    Args:
        rows: Rows as `rows.read_rows` returns them; the first is the one that others are compared with.
        fmt: Format, one of `FORMATS`.
        title: Caption.
        paired: Whether to show differences to the first row; None shows them once no run is missing.
        digits: Decimals of scores.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
        ValueError: There are no rows, or they are not comparable, see `find_shared_setting`.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("table format", fmt, FORMATS))
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    setting = find_shared_setting(rows)
    is_paired = is_comparison_due(rows) if paired is None else paired
    differences = compare_with_first(rows) if is_paired else [None] * len(rows)
    pairs = zip(rows, differences, strict=True)
    frame = build_row_frame([TableRow(row, setting, difference) for row, difference in pairs])
    if fmt == "csv":
        return str(frame.round(DECIMALS).to_csv(index=False, lineterminator="\n"))
    layout = lay_out(rows, frame, setting=setting, differences=differences, title=title, digits=digits)
    if fmt == "json":
        return _to_json(rows, frame, setting=setting, layout=layout)
    if fmt == "tex":
        return typeset.to_latex(layout, label=re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
    return typeset.to_markdown(layout) if fmt == "md" else typeset.to_text(layout)


def lay_out(
    rows: Sequence[Row],
    frame: DataFrame,
    *,
    setting: EvaluationSetting | None,
    differences: Sequence[AdjustedDifference | None],
    title: str,
    digits: int,
) -> TableLayout:
    """Return the printed columns of a row frame, with their notes.

    Args:
        rows: Rows behind the frame.
        frame: Row frame, see `columns.build_row_frame`.
        setting: Setting that the rows share.
        differences: Difference of every row to the first.
        title: Caption.
        digits: Decimals of scores.
    """
    shown = [column for column in COLUMNS if column.find_header(frame)]
    cells = [column.format(frame, digits) for column in shown]
    marks, row_notes = assign_marks(describe_rows(rows))
    cells[0] = [replace(cell, marks=mark) for cell, mark in zip(cells[0], marks, strict=True)]
    texts = describe_setting(rows, setting)
    texts += [text for column in shown for text in column.note(rows, differences)]
    texts += describe_sources(rows)
    return TableLayout(
        title=title,
        header=tuple(column.find_header(frame) for column in shown),
        is_text=tuple(column.is_text for column in shown),
        cells=tuple(zip(*cells, strict=True)),
        notes=(*row_notes, *(TableNote(text) for text in texts)),
    )


def _to_json(rows: Sequence[Row], frame: DataFrame, *, setting: EvaluationSetting | None, layout: TableLayout) -> str:
    """Return one JSON object: the facts of the whole table, and a list of rows with all their runs."""
    counts = next((counts for row in rows for counts in row.counts), None)
    runs = iter(list_records(to_run_frame(rows).drop(columns=["study", "row", "method", "convention"])))
    value = {
        "title": layout.title,
        "convention": rows[0].convention,
        "gamma": next((row.gamma for row in rows if row.records), 0.0),
        "setting": setting._asdict() if setting is not None else None,
        "classes": list(counts.classes) if counts is not None else [],
        "seen": list(counts.seen) if counts is not None else [],
        "runs_digest": digest_runs(rows),
        "rows": [
            fields | {"runs": [next(runs) | _read_inputs(run) for run in row.runs]}
            for row, fields in zip(rows, list_records(frame), strict=True)
        ],
        "notes": [{"mark": note.mark, "text": note.text} for note in layout.notes],
    }
    return dump_json(value)


def _read_inputs(run: RunResult) -> dict[str, Any]:
    """Return the nested facts of a run, which have no place in a data frame."""
    spec = run.record.spec if run.record is not None else None
    cost = run.record.cost if run.record is not None else None
    return {
        "budget": spec.budget.model_dump(mode="json") if spec is not None else None,
        "overrides": spec.overrides if spec is not None else None,
        "image_size": list(cost.image_size) if cost is not None else None,
    }
