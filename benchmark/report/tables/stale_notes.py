"""Notes on results whose code or inputs have changed since: on each row, or once if all of a table are stale alike."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.report.result_row import ResultRow, RunResult
from benchmark.store.staleness import summarize_changes


def describe_stale(row: ResultRow) -> list[str]:
    """Return one text per reason for which results of the row are stale, with the runs that have it."""
    runs: dict[str, list[RunResult]] = {}
    for run in row.done:
        if run.is_stale:
            runs.setdefault(summarize_changes(run.changes), []).append(run)
    return [f"{row.name_runs(some)} stale: {reason}" for reason, some in runs.items()]


def describe_stale_table(rows: Sequence[ResultRow]) -> list[str]:
    """Return the note on several rows of which every result is stale, with the changes that all share; else none."""
    reasons = list(dict.fromkeys(run.changes for row in rows for run in row.done))
    shared = set[str](reasons[0] if reasons else ()).intersection(*reasons)
    if len(rows) < 2 or not shared:
        return []
    changes = summarize_changes([change for change in reasons[0] if change in shared])
    return [f"All results are stale, and may be others now: {changes}."]


def describe_stale_rows(rows: Sequence[ResultRow]) -> list[list[str]]:
    """Return the texts on stale results of every row; none where a note on the table says it of all."""
    return [[] for _ in rows] if describe_stale_table(rows) else [describe_stale(row) for row in rows]
