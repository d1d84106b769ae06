"""Table of a study: one function, five formats, the same bytes for the same runs."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from benchmark.evaluation.scores import Metric
from benchmark.report.frame import list_records, to_run_frame
from benchmark.report.rows import RunResult
from benchmark.report.study_results import StudyResults
from benchmark.report.tables import typeset
from benchmark.report.tables.cautions import DIFFERENCE_KEYS, describe_row_uncertainty, describe_shared_cautions
from benchmark.report.tables.columns import TableRow, build_row_frame
from benchmark.report.tables.json_text import DECIMALS, dump_json
from benchmark.report.tables.layout import TableLayout, TableNote, assign_marks
from benchmark.report.tables.notes import describe_rows, describe_setting, describe_sources, digest_runs
from benchmark.report.tables.provenance import describe_inputs, describe_machines
from benchmark.report.tables.selection import DEFAULT, SelectedColumns
from benchmark.report.tables.uncertainty import describe_baseline, describe_scores
from benchmark.report.tables.undefined import describe_undefined
from benchmark.utils.did_you_mean import explain_unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame

Format = Literal["md", "csv", "json", "tex", "txt"]
FORMATS: tuple[Format, ...] = get_args(Format)
HIOU_KEYS = DIFFERENCE_KEYS | {"hiou_rank"}
"""Columns that rest on hIoU, printed or not."""


def render(
    results: StudyResults,
    *,
    fmt: str = "txt",
    title: str = "",
    columns: SelectedColumns = DEFAULT,
    digits: int = 1,
) -> str:
    """Return the table of a study as text.

    Args:
        results: Results as `study_results.collect_results` returns them.
        fmt: Format, one of `FORMATS`.
        title: Caption.
        columns: Columns of the table.
        digits: Decimals of scores.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("table format", fmt, FORMATS))
    fields = zip(results.rows, results.differences, results.ranks, strict=True)
    rows = [TableRow(row, results.setting, difference, rank) for row, difference, rank in fields]
    frame = build_row_frame(rows, columns.columns)
    if fmt == "csv":
        return str(frame.round(DECIMALS).to_csv(index=False, lineterminator="\n"))
    layout = lay_out(results, frame, columns=columns, title=title, digits=digits)
    if fmt == "json":
        return _to_json(results, frame, layout=layout)
    if fmt == "tex":
        return typeset.to_latex(layout, label=re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
    return typeset.to_markdown(layout) if fmt == "md" else typeset.to_text(layout)


def lay_out(
    results: StudyResults, frame: DataFrame, *, columns: SelectedColumns, title: str, digits: int
) -> TableLayout:
    """Return the printed columns of a row frame, with their notes.

    Args:
        results: Results behind the frame.
        frame: Row frame, see `columns.build_row_frame`.
        columns: Columns of the table.
        title: Caption.
        digits: Decimals of scores.
    """
    printed = columns.list_printed(frame)
    cells = [column.format(frame, digits) for column in printed]
    metrics, keys = columns.list_printed_metrics(frame), [column.key for column in printed]
    pairs = zip(describe_rows(results.rows), describe_row_uncertainty(results, metrics, keys), strict=True)
    marks, row_notes = assign_marks([first + second for first, second in pairs])
    cells[0] = [replace(cell, marks=mark) for cell, mark in zip(cells[0], marks, strict=True)]
    texts = describe_setting(results.rows, results.setting)
    texts += describe_scores(results.rows, metrics)
    basis: list[Metric] = ["hiou"] if HIOU_KEYS & set(keys) else []
    texts += describe_undefined(results.rows, [*metrics, *basis], consequence="no ΔhIoU, p or rank")
    texts += describe_shared_cautions(results, metrics, keys)
    texts += [text for column in printed for text in column.note(results)]
    texts += describe_baseline(results) if not any(results.differences) else []
    texts += describe_sources(results.rows) + describe_machines(results.rows) + describe_inputs(results.rows)
    return TableLayout(
        title=title,
        header=tuple(column.find_header(frame) for column in printed),
        is_text=tuple(column.is_text for column in printed),
        cells=tuple(zip(*cells, strict=True)),
        notes=(*row_notes, *(TableNote(text) for text in texts)),
    )


def _to_json(results: StudyResults, frame: DataFrame, *, layout: TableLayout) -> str:
    """Return one JSON object: the facts of the whole table, and a list of rows with all their runs."""
    rows, setting = results.rows, results.setting
    counts = next((counts for row in rows for counts in row.counts), None)
    runs = iter(list_records(to_run_frame(rows).drop(columns=["study", "row", "method", "convention"])))
    value = {
        "title": layout.title,
        "convention": rows[0].convention,
        "gamma": next((row.gamma for row in rows if row.records), 0.0),
        "baseline": results.baseline.label,
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
    record = run.record
    spec, cost = (record.spec, record.cost) if record is not None else (None, None)
    return {
        "budget": spec.budget.model_dump(mode="json") if spec is not None else None,
        "overrides": spec.overrides if spec is not None else None,
        "image_size": list(cost.image_size) if cost is not None and cost.image_size is not None else None,
        "spec": spec.model_dump(mode="json") if spec is not None else None,
        "environment": record.environment.model_dump(mode="json") if record is not None else None,
        "continued_from": list(record.continued_from) if record is not None else [],
        "is_deterministic": record.is_deterministic if record is not None else None,
        "code": record.code if record is not None else {},
        "inputs": record.inputs if record is not None else {},
    }
