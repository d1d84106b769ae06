"""Table of a study: one function, five formats, the same bytes for the same runs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from benchmark.evaluation.scores import DATASET_METRICS, Metric
from benchmark.report.frame import COST_METRICS, ROW_FACTS, list_records, read_facts
from benchmark.report.imported import describe_imported
from benchmark.report.rows import Row, RunResult
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables import typeset
from benchmark.report.tables.cautions import DIFFERENCE_KEYS, describe_row_uncertainty, describe_shared_cautions
from benchmark.report.tables.columns import TableRow, build_row_frame
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.report.tables.layout import TableLayout, TableNote, assign_marks, drop_notes
from benchmark.report.tables.notes import (
    describe_limits,
    describe_rows,
    describe_settings,
    describe_sources,
    describe_stale,
    digest_runs,
)
from benchmark.report.tables.provenance import describe_inputs, describe_machines
from benchmark.report.tables.selection import DEFAULT, SelectedColumns
from benchmark.report.tables.uncertainty import describe_baseline, describe_scores
from benchmark.report.tables.undefined import describe_undefined_scores
from benchmark.report.tables.untested import describe_contracts
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
    width: int | None = typeset.WIDTH,
    has_notes: bool = True,
) -> str:
    """Return the table of a study as text.

    Args:
        results: Results as `study_results.collect_results` returns them.
        fmt: Format, one of `FORMATS`.
        title: Caption.
        columns: Columns of the table.
        digits: Decimals of scores in printed formats; csv and json are not rounded to them.
        width: Characters in a line of aligned text; None for all columns side by side.
        has_notes: Whether printed formats and json have notes; warnings stay in any case.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("table format", fmt, FORMATS))
    frame = build_results_frame(results, columns)
    if fmt == "csv":
        return format_csv(frame)
    layout = lay_out(results, frame, columns=columns, title=title, digits=digits)
    layout = layout if has_notes else drop_notes(layout)
    if fmt == "json":
        return _to_json(results, frame, layout=layout)
    if fmt == "tex":
        return typeset.to_latex(layout, label=re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-"))
    return typeset.to_markdown(layout) if fmt == "md" else typeset.to_text(layout, width=width)


def build_results_frame(results: StudyResults, columns: SelectedColumns) -> DataFrame:
    """Return the row frame of a study's results, see `columns.build_row_frame`."""
    rows = [
        TableRow(row, group.setting, group.name, difference, rank)
        for group in results.groups
        for row, difference, rank in zip(group.rows, group.differences, group.ranks, strict=True)
    ]
    return build_row_frame(rows, columns.columns)


def sort_results(results: StudyResults, columns: SelectedColumns) -> StudyResults:
    """Return the results with the rows of every group in the order that the columns ask for; the baseline stays."""
    if not columns.sort_key:
        return results
    keys = build_results_frame(results, columns)[columns.sort_key]
    texts = keys if keys.dtype.kind in "fi" else keys.astype("string").str.casefold()
    order = texts.sort_values(ascending=not columns.is_descending, kind="stable", na_position="last").index.tolist()
    groups, start = [], 0
    for group in results.groups:
        indices = [index - start for index in order if start <= index < start + len(group.rows)]
        fields: dict[str, Any] = {
            name: tuple(getattr(group, name)[at] for at in indices) for name in ("rows", "differences", "ranks")
        }
        groups.append(replace(group, **fields))
        start += len(group.rows)
    return replace(results, groups=tuple(groups))


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
    warnings = {text for row in results.rows for text in describe_imported(row) + describe_stale(row)}
    marks, row_notes = assign_marks([first + second for first, second in pairs], warnings=warnings)
    cells[0] = [replace(cell, marks=mark) for cell, mark in zip(cells[0], marks, strict=True)]
    texts = describe_settings(results)
    texts += describe_scores(results.rows, metrics)
    basis: list[Metric] = ["hiou"] if HIOU_KEYS & set(keys) else []
    texts += describe_undefined_scores(results, [*metrics, *basis])
    texts += describe_shared_cautions(results, metrics, keys)
    texts += [text for column in printed for text in column.note(results)]
    texts += describe_baseline(results)
    texts += (
        describe_contracts(results.rows)
        + describe_sources(results.rows)
        + describe_machines(results.rows)
        + describe_inputs(results.rows)
    )
    return TableLayout(
        title=title,
        header=tuple(column.find_header(frame) for column in printed),
        is_text=tuple(column.is_text for column in printed),
        cells=tuple(zip(*cells, strict=True)),
        notes=(
            *row_notes,
            *(TableNote(text, is_warning=True) for text in describe_limits(results)),
            *(TableNote(text) for text in texts),
        ),
    )


def _to_json(results: StudyResults, frame: DataFrame, *, layout: TableLayout) -> str:
    """Return one JSON object: the facts of the whole table, and a list of rows with all their runs."""
    groups = [_describe_group(group) for group in results.groups]
    rows = [(group, row) for group in results.groups for row in group.rows]
    value = {
        "title": layout.title,
        "convention": results.rows[0].convention,
        **(groups[0] if len(groups) == 1 else {"groups": groups}),
        "runs_digest": digest_runs(results.rows),
        "rows": [
            fields | {"runs": _list_runs(row, _find_classes(group)[0])}
            for (group, row), fields in zip(rows, list_records(frame), strict=True)
        ],
        "notes": [{"mark": note.mark, "text": note.text} for note in layout.notes],
    }
    return dump_json(value)


def _find_classes(group: GroupResults) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Return the classes of a group, and whether each is seen; nothing if no run is done."""
    return next(((counts.classes, counts.seen) for row in group.rows for counts in row.counts), ((), ()))


def _list_runs(row: Row, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Return the facts and the scores of every run of a row."""
    return [
        {name: value for name, value in read_facts(row, run).items() if name not in ROW_FACTS}
        | {metric: getattr(run.scores, metric, None) for metric in DATASET_METRICS}
        | {f"iou/{name}": run.scores.iou[k] if run.scores is not None else None for k, name in enumerate(classes)}
        | {metric: getattr(run.record and run.record.cost, metric, None) for metric in COST_METRICS}
        | _read_inputs(run)
        for run in row.runs
    ]


def _describe_group(group: GroupResults) -> dict[str, Any]:
    """Return the facts that the rows of a group share."""
    classes, seen = _find_classes(group)
    return {
        "name": group.name,
        "gamma": next((row.gamma for row in group.rows if row.records), 0.0),
        "baseline": group.baseline.label if group.baseline is not None else None,
        "setting": group.setting._asdict() if group.setting is not None else None,
        "classes": list(classes),
        "seen": list(seen),
    }


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
