"""JSON of a study's table: the facts of the whole, means over splits, and every row of a split with all its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import digest_code
from benchmark.evaluation.scores import DATASET_METRICS
from benchmark.report.frame import COST_METRICS, ROW_FACTS, list_records, read_facts
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.json_text import dump_json
from benchmark.report.tables.layout import TableLayout
from benchmark.report.tables.notes import digest_runs

if TYPE_CHECKING:
    from pandas import DataFrame


def to_json(results: StudyResults, *, frame: DataFrame, split_frame: DataFrame, layout: TableLayout) -> str:
    """Return one JSON object: the facts of the whole table, and a list of rows with all their runs.

    Rows over several splits are in the list "pooled"; "rows" has theirs on every single split.

    Args:
        results: Results of the table.
        frame: Row frame of the results.
        split_frame: Row frame of the results by split.
        layout: Printed table.
    """
    single = results.by_split.groups
    groups = [_describe_group(group) for group in single]
    rows = [(group, row) for group in single for row in group.rows]
    value = {
        "title": layout.title,
        "convention": results.rows[0].convention,
        **(groups[0] if len(groups) == 1 else {"groups": groups}),
        "runs_digest": digest_runs(results.rows),
        "code": _list_code(results),
        **({"pooled": _list_pooled(results, frame)} if results.has_pools else {}),
        "rows": [
            fields | {"runs": _list_runs(row, group.find_classes()[0])}
            for (group, row), fields in zip(rows, list_records(split_frame), strict=True)
        ],
        "notes": [{"mark": note.mark, "text": note.text} for note in layout.notes],
    }
    return dump_json(value)


def _list_pooled(results: StudyResults, frame: DataFrame) -> list[dict[str, Any]]:
    """Return the groups over several splits with their rows."""
    records, pooled = iter(list_records(frame)), []
    for group in results.groups:
        rows = [next(records) for _ in group.rows]
        if group.splits:
            pooled.append(
                {
                    "name": group.name,
                    "baseline": group.baseline.label if group.baseline is not None else None,
                    "setting": group.setting._asdict() if group.setting is not None else None,
                    "splits": [{"name": split.name, "unseen": list(split.list_unseen())} for split in group.splits],
                    "rows": rows,
                }
            )
    return pooled


def _list_code(results: StudyResults) -> dict[str, dict[str, str]]:
    """Return the digests of source files by the `code_digest` of the runs that used them."""
    return {digest_code(record.code): record.code for row in results.rows for record in row.records}


def _list_runs(row: ResultRow, classes: Sequence[str]) -> list[dict[str, Any]]:
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
    classes, seen = group.find_classes()
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
        "inputs": record.inputs if record is not None else {},
    }
