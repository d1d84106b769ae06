"""Runs without a result: why, and how their logs end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from benchmark.core.run_state import RunState
from benchmark.report.result_row import ResultRow, RunResult
from benchmark.report.study_results import StudyResults
from benchmark.store.store import Store
from benchmark.utils.plain_text import clean_text, escape_controls

MAX_LOGS, LOG_LINES, LINE_CHARACTERS = 40, 20, 300
"""Runs whose logs the page holds, last lines of each, and characters of a line."""


class RunFailure(NamedTuple):
    """A run that was started and has no result.

    Attributes:
        label: Label of the row.
        run_id: ID of the run.
        state: State of the run.
        problem: Reason, one line.
        log: Last lines of the log; empty if there is none, or if others fill the page.
    """

    label: str
    run_id: str
    state: str
    problem: str
    log: str


@dataclass(frozen=True)
class Failures:
    """Runs without a result.

    Attributes:
        runs: Runs that failed, are broken, interrupted or running.
        num_missing: Number of runs that were never started.
    """

    runs: tuple[RunFailure, ...]
    num_missing: int


def collect_failures(results: StudyResults, store: Store) -> Failures:
    """Return the runs without a result, row by row."""
    lacking = [(row, run) for row in results.rows for run in row.runs if run.scores is None]
    started = [(row, run) for row, run in lacking if run.state is not RunState.MISSING]
    runs = [_describe(row, run, store, has_log=at < MAX_LOGS) for at, (row, run) in enumerate(started)]
    return Failures(tuple(runs), len(lacking) - len(started))


def _describe(row: ResultRow, run: RunResult, store: Store, *, has_log: bool) -> RunFailure:
    log = _read_log(run, store) if has_log else ""
    return RunFailure(row.label, run.run_id, run.state.value, clean_text(run.problem), log)


def _read_log(run: RunResult, store: Store) -> str:
    failure = None if run.record is None else run.record.failure
    try:
        text = failure.log_tail if failure is not None and failure.log_tail else store.run(run.run_id).read_log_tail()
    except OSError:
        return ""
    lines = escape_controls(text).splitlines()[-LOG_LINES:]
    return "\n".join(line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}…" for line in lines)
