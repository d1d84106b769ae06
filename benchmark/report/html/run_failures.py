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


class FailedRun(NamedTuple):
    """A run that was started and has no result: its ID and the last lines of its log, none if others fill the page."""

    run_id: str
    log: str


class RunFailure(NamedTuple):
    """Runs of a row that have no result for the same reason.

    Attributes:
        label: Label of the row.
        place: Seeds of the runs, and their split if the report has several.
        state: State of the runs.
        problem: Reason, one line.
        runs: The runs.
    """

    label: str
    place: str
    state: str
    problem: str
    runs: tuple[FailedRun, ...]


@dataclass(frozen=True)
class Failures:
    """Runs without a result.

    Attributes:
        reasons: Runs that failed, are broken, interrupted or running, by row and reason.
        num_missing: Number of runs that were never started.
    """

    reasons: tuple[RunFailure, ...]
    num_missing: int

    @property
    def num_started(self) -> int:
        """Number of runs that were started."""
        return sum(len(reason.runs) for reason in self.reasons)


def collect_failures(results: StudyResults, store: Store) -> Failures:
    """Return the runs without a result, row by row."""
    lacking = [(group, row, run) for group in results.groups for row in group.rows for run in _list_lacking(row)]
    started = [(group, row, run) for group, row, run in lacking if run.state is not RunState.MISSING]
    logs = {id(run): _read_log(run, store) for _, _, run in started[:MAX_LOGS]}
    reasons: dict[tuple[int, RunState, str], tuple[str, ResultRow, list[RunResult]]] = {}
    for group, row, run in started:
        place = f" on {group.name}" if row.split and len(results.groups) > 1 else ""
        reasons.setdefault((id(row), run.state, run.problem), (place, row, []))[-1].append(run)
    failures = [
        RunFailure(
            label=row.label,
            place=f"{row.name_runs(runs)}{place}",
            state=state.value,
            problem=clean_text(problem),
            runs=tuple(FailedRun(run.run_id, logs.get(id(run), "")) for run in runs),
        )
        for (_, state, problem), (place, row, runs) in reasons.items()
    ]
    return Failures(tuple(failures), len(lacking) - len(started))


def _list_lacking(row: ResultRow) -> list[RunResult]:
    return [run for run in row.runs if run.scores is None]


def _read_log(run: RunResult, store: Store) -> str:
    failure = None if run.record is None else run.record.failure
    try:
        text = failure.log_tail if failure is not None and failure.log_tail else store.run(run.run_id).read_log_tail()
    except OSError:
        return ""
    lines = escape_controls(text).splitlines()[-LOG_LINES:]
    return "\n".join(line if len(line) <= LINE_CHARACTERS else f"{line[:LINE_CHARACTERS]}…" for line in lines)
