"""A paper's table for programs: one line per row, dataset and column, as csv and JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import digest_code
from benchmark.evaluation.scores import METRICS
from benchmark.report.frame import list_records
from benchmark.report.papers.paper_layout import name_state
from benchmark.report.papers.paper_results import PaperCell, PaperResults
from benchmark.report.papers.published_match import get_value
from benchmark.report.tables.cautions import DIFFERENCE_KEYS
from benchmark.report.tables.column import Column
from benchmark.report.tables.json_text import dump_json
from benchmark.report.tables.layout import TableLayout
from benchmark.report.tables.selection import select_columns

if TYPE_CHECKING:
    from pandas import DataFrame

COLUMNS = {
    "row": "str",
    "section": "str",
    "dataset": "str",
    "group": "str",
    "method": "str",
    "metric": "str",
    "state": "str",
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "interval_over": "str",
    "is_within_class": "boolean",
    "runs_done": "Int64",
    "runs_planned": "Int64",
    "published": "float64",
    "printed": "float64",
    "recomputed": "float64",
    "is_verified": "boolean",
    "difference": "float64",
    "verdict": "str",
    "obstacle": "str",
    "published_id": "str",
    "published_source": "str",
    "run_ids": "str",
    "code_digests": "str",
    "commits": "str",
}
"""Types of the columns. `is_within_class`: whether a difference or p value is against a baseline of the same class."""


def to_frame(results: PaperResults) -> DataFrame:
    """Return a table as a tidy data frame with the columns `COLUMNS`."""
    from pandas import DataFrame

    lines = list(_iterate_lines(results))
    return DataFrame({key: [line.get(key) for line in lines] for key in COLUMNS}).astype(COLUMNS)


def to_json(results: PaperResults, layout: TableLayout) -> str:
    """Return a table as one JSON object: its facts, a list of lines as in the data frame, and the notes."""
    return dump_json(
        {
            "table": str(results.named.name),
            "title": results.named.title,
            "citation": results.named.paper.citation,
            "datasets": [dataset.label for dataset in results.datasets],
            "lines": list_records(to_frame(results)),
            "notes": [{"mark": note.mark, "text": note.text} for note in layout.notes],
        }
    )


def _iterate_lines(results: PaperResults) -> Iterator[dict[str, Any]]:
    columns = {column.key: column for column in select_columns(results.named.table.columns).columns}
    for row, cells in zip(results.rows, results.cells, strict=True):
        for dataset, cell in zip(results.datasets, cells, strict=True):
            for key in results.named.table.columns:
                is_score = key in METRICS
                if not is_score and (cell.own is None or key in COLUMNS or columns[key].dtype == "str"):
                    continue
                yield {
                    "row": row.label,
                    "section": row.section,
                    "dataset": dataset.label,
                    "metric": key,
                    **_read_own(cell, key),
                    **({} if is_score else _read_column(cell, key, columns)),
                    **(_read_published(cell, key, is_compared=key == results.named.table.compared) if is_score else {}),
                }


def _read_column(cell: PaperCell, key: str, columns: Mapping[str, Column]) -> dict[str, Any]:
    """Return the value of a column that is no score, such as a cost, with the ends of its interval if it has one."""
    parts = {"value": key, "low": f"{key}_low", "high": f"{key}_high", "interval_over": f"{key}_interval_over"}
    if key in DIFFERENCE_KEYS:
        parts["is_within_class"] = "hiou_difference_is_within_class"
    known = {part: columns[name] for part, name in parts.items() if name in columns}
    return {part: column.value(cell.own) for part, column in known.items() if cell.own is not None}


def _read_own(cell: PaperCell, metric: str) -> dict[str, Any]:
    if cell.own is None:
        return {"state": "published alone"}
    row = cell.own.row
    estimate = next((known for name, known in row.estimates.items() if name == metric), None)
    interval = None if estimate is None else estimate.interval
    return {
        "group": cell.own.group,
        "method": row.method,
        "state": name_state(row) or row.state.value,
        "value": None if estimate is None else estimate.mean,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "interval_over": "" if interval is None else interval.kind,
        "runs_done": len(row.done),
        "runs_planned": len(row.runs),
        "run_ids": " ".join(run.run_id for run in row.runs if run.run_id),
        "code_digests": " ".join(dict.fromkeys(digest_code(record.code) for record in row.records)),
        "commits": " ".join(dict.fromkeys(record.environment.commit or "" for record in row.records)).strip(),
    }


def _read_published(cell: PaperCell, metric: str, *, is_compared: bool) -> dict[str, Any]:
    published = cell.published
    if published is None:
        return {}
    facts = {
        "published": get_value(published.values, metric),
        "printed": get_value(published.printed, metric),
        "recomputed": get_value(published.recomputed, metric),
        "is_verified": published.is_verified,
        "published_id": published.id,
        "published_source": published.source,
    }
    if is_compared:
        facts["obstacle"] = cell.obstacle
        facts["difference"] = None if cell.verdict is None else cell.verdict.difference
        facts["verdict"] = "not comparable" if cell.obstacle else "" if cell.verdict is None else cell.verdict.text
    return facts
