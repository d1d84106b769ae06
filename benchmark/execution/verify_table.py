"""Verification of a study's table: the runs of a store are compared with those that the table's JSON file lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.execution.listed_means import METRICS, describe_misstatement, list_contradictions
from benchmark.execution.listed_rows import ListedRun
from benchmark.execution.listed_table import ListedTable
from benchmark.execution.verify import compare_records, describe_compared, format_changes
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode

if TYPE_CHECKING:
    from benchmark.evaluation.scores import Convention, Scores

SMALLEST_DELTA = 1e-4
"""Smallest change of a score, in points, that is printed; files keep six decimals."""


class Outcome(StrEnum):
    """Result of comparing one run of a table with the same run of a store."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    MISSTATED = "misstated"
    """The counts are identical, but they do not give the scores that the table states."""
    MISSING = "missing"
    FAILED = "failed"
    BROKEN = "broken"
    """The record or the counts cannot be read."""


@dataclass(frozen=True)
class RunCheck:
    """Comparison of one run of a table with the same run of a store.

    Attributes:
        row: Label of the row.
        listed: Run as the table lists it.
        outcome: Result of the comparison.
        deltas: Change of each score of `METRICS` in points, from the table to the store; empty if not different.
        changes: Recorded facts that differ, as (table, store) by name; empty without a result in the store.
        reason: Reason why the outcome is MISSTATED, FAILED or BROKEN; empty otherwise.
        scores: Scores of `METRICS` by the counts that the table names, None if undefined; empty if these are not here.
        unseen: Unseen classes by its counts; None if they were not read.
    """

    row: str
    listed: ListedRun
    outcome: Outcome
    deltas: dict[str, float]
    changes: dict[str, tuple[str, str]]
    reason: str = ""
    scores: Mapping[str, float | None] = field(default_factory=dict)
    unseen: tuple[str, ...] | None = None


@dataclass(frozen=True)
class TableCheck:
    """Comparison of a table with a store.

    Attributes:
        table: Runs and statements of the table.
        runs: Comparison of each run, in the order of the table.
        wrong_means: Label of a row, and which means it states otherwise than its own runs give.
    """

    table: ListedTable
    runs: tuple[RunCheck, ...]
    wrong_means: tuple[tuple[str, str], ...]

    @property
    def contradictions(self) -> tuple[tuple[str, str], ...]:
        """What the table states otherwise than its own runs or their counts give: label of a row or split, and text."""
        return (*self.wrong_means, *self._list_wrong_splits())

    @property
    def exit_code(self) -> ExitCode:
        """SUCCESS only if all runs are identical and give what the table states."""
        outcomes = {run.outcome for run in self.runs}
        if outcomes & {Outcome.DIFFERENT, Outcome.MISSTATED} or self.contradictions:
            return ExitCode.DIFFERENT
        return ExitCode.SUCCESS if outcomes <= {Outcome.IDENTICAL} else ExitCode.FINISHED_WITH_FAILURES

    def format_lines(self) -> list[str]:
        """Format the result as lines of text: the runs and remarks of each row, differences, and a summary."""
        notes = [*self.contradictions, *self.table.remarks]
        lines: list[str] = []
        for row in dict.fromkeys([*(run.row for run in self.runs), *(label for label, _ in notes)]):
            lines += _format_row(row, [run for run in self.runs if run.row == row])
            lines += [f"{row}: {text}" for label, text in notes if label == row]
        numbers = {outcome: sum(run.outcome is outcome for run in self.runs) for outcome in Outcome}
        counted = ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number)
        wrong = len(self.contradictions)
        verdict = f"; wrong statements of the table: {wrong}" if wrong else ""
        return [*lines, *_format_changes(self.runs), f"{len(self.runs)} runs: {counted}{verdict}"]

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON values."""
        runs = [
            {
                "row": run.row,
                "id": run.listed.spec.id,
                "seed": run.listed.spec.seed,
                "outcome": run.outcome,
                "deltas": run.deltas,
                "changes": run.changes,
                "reason": run.reason,
            }
            for run in self.runs
        ]
        contradictions, remarks = (
            [{"row": row, "text": text} for row, text in texts] for texts in (self.contradictions, self.table.remarks)
        )
        return {"runs": runs, "contradictions": contradictions, "remarks": remarks}

    def _list_wrong_splits(self) -> Iterator[tuple[str, str]]:
        """Yield the splits of which the table states other unseen classes than the counts have."""
        known = {run.listed.spec.id: run.unseen for run in self.runs if run.unseen is not None}
        for split in self.table.splits:
            actual = next((unseen for run_id, unseen in known.items() if run_id in split.ids), None)
            if actual is not None and actual != split.unseen:
                stated, read = (", ".join(names) or "none" for names in (split.unseen, actual))
                yield split.name, f"the table states other unseen classes than the counts: {stated} instead of {read}"


def compare_with_table(table: ListedTable, store: Store) -> TableCheck:
    """Compare every run of a table with the same run of a store; the counts of each are read and checked.

    Means are checked by the counts of all their runs, also of those that are not compared.
    """
    convention = table.file.convention
    runs = [_compare_run(row, listed, store=store, convention=convention) for row, listed in table.runs]
    compared = {run.listed.spec.id for run in runs}
    others = [
        _compare_run(row.label, listed, store=store, convention=convention)
        for row in table.file.rows
        for listed in row.list_finished()
        if listed.spec.id not in compared
    ]
    recomputed = {run.listed.spec.id: run.scores for run in [*runs, *others] if run.scores}
    return TableCheck(table, tuple(runs), tuple(list_contradictions(table.file, recomputed)))


def _compare_run(row: str, listed: ListedRun, *, store: Store, convention: Convention) -> RunCheck:
    run = store.run(listed.spec.id)
    try:
        snapshot = run.read_snapshot()
    except (OSError, ValueError) as error:
        return RunCheck(row, listed, Outcome.BROKEN, {}, {}, _to_line(error))
    record = snapshot.record
    if snapshot.state is RunState.BROKEN:
        return RunCheck(row, listed, Outcome.BROKEN, {}, {}, snapshot.problem)
    if record is None:
        return RunCheck(row, listed, Outcome.MISSING, {}, {})
    check = RunCheck(row, listed, Outcome.IDENTICAL, {}, compare_records(listed, record))
    if record.state is not RunState.DONE:
        reason = record.failure.summary if record.failure is not None else ""
        return replace(check, outcome=Outcome.FAILED, reason=reason)
    return _compare_scores(check, run, record, convention=convention)


def _compare_scores(check: RunCheck, run: RunFolder, record: RunRecord, *, convention: Convention) -> RunCheck:
    """Return the check of a run that is done, with its counts read and scored."""
    from benchmark.evaluation.scores import score

    try:
        counts = run.read_counts(record)
        scores = score(counts, convention)
    except (OSError, ValueError) as error:
        return replace(check, outcome=Outcome.BROKEN, reason=_to_line(error))
    unseen = tuple(name for name, is_seen in zip(counts.classes, counts.seen, strict=True) if not is_seen)
    check = replace(check, unseen=unseen)
    if record.counts_digest != check.listed.counts_digest:
        return replace(check, outcome=Outcome.DIFFERENT, deltas=_compute_deltas(check.listed, scores))
    actual = {metric: None if (value := getattr(scores, metric)) != value else value for metric in METRICS}
    check = replace(check, scores=actual)
    text = describe_misstatement(check.listed, actual)
    return replace(check, outcome=Outcome.MISSTATED, reason=text) if text else check


def _to_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _compute_deltas(listed: ListedRun, scores: Scores) -> dict[str, float]:
    """Return the change of each score in points; scores that one side lacks are left out."""
    deltas = {
        metric: getattr(scores, metric) - value for metric in METRICS if (value := getattr(listed, metric)) is not None
    }
    return {metric: delta for metric, delta in deltas.items() if delta == delta}


def _format_row(row: str, checks: Sequence[RunCheck]) -> list[str]:
    """Return a line for the identical runs of a row, one for the missing, and one for each other run."""
    lines: list[str] = []
    for outcome in (Outcome.IDENTICAL, Outcome.MISSING):
        seeds = [str(check.listed.spec.seed) for check in checks if check.outcome is outcome]
        lines += [f"{row}: {outcome} (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})"] if seeds else []
    for check in checks:
        if check.outcome not in (Outcome.IDENTICAL, Outcome.MISSING):
            lines.append(f"{row}: seed {check.listed.spec.seed} {_format_check(check)}")
    return lines


def _format_check(check: RunCheck) -> str:
    if check.outcome is Outcome.DIFFERENT:
        return f"differs: {_format_deltas(check.deltas)}"
    if check.outcome is Outcome.MISSTATED:
        return f"is misstated: the table states other scores than its counts give: {check.reason}"
    return f"{check.outcome}: {check.reason}"


def _format_deltas(deltas: dict[str, float]) -> str:
    if all(abs(delta) < SMALLEST_DELTA for delta in deltas.values()):
        return f"the scores are equal within {SMALLEST_DELTA}, the counts are not"
    return ", ".join(f"{METRICS[metric]} {delta:+.4f}" for metric, delta in deltas.items())


def _format_changes(checks: Sequence[RunCheck]) -> list[str]:
    """Return the recorded facts that differ for the different runs, each set of facts once."""
    lines: list[str] = []
    different = [check for check in checks if check.outcome is Outcome.DIFFERENT]
    for changes in {repr(check.changes): check.changes for check in different}.values():
        rows = [f"{check.row} seed {check.listed.spec.seed}" for check in different if check.changes == changes]
        lines.append(f"Different: {', '.join(rows)}")
        if changes:
            lines += ["  these recorded differences (table -> here) may explain it:", *format_changes(changes)]
        else:
            lines.append(f"  no recorded difference explains it; compared were {describe_compared()}")
    return lines
