"""Verification of a study's table: the runs of a store are compared with those that the table's JSON file lists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from benchmark.core.environment import Environment
from benchmark.core.run_record import RunRecord
from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.verify import compare_records, describe_compared, format_changes
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.frozen_model import describe_first_error

METRICS = {"hiou": "hIoU", "miou_seen": "S", "miou_unseen": "U"}
"""Compared scores: name in the file, and heading."""
SMALLEST_DELTA = 1e-4
"""Smallest change of a score, in points, that is printed; files keep six decimals."""


class Outcome(StrEnum):
    """Result of comparing one run of a table with the same run of a store."""

    IDENTICAL = "identical"
    DIFFERENT = "different"
    MISSING = "missing"
    FAILED = "failed"


class ListedRun(BaseModel):
    """A run as the JSON file of a table lists it; further entries are ignored.

    Attributes:
        spec: Spec of the run.
        counts_digest: Digest of its counts.
        environment: Environment that it was computed in.
        code: Digest of each file of the package that can change the result.
        inputs: SHA-256 of each weight, embedding and prompt file that was read.
        hiou: hIoU in percent, as `miou_seen` and `miou_unseen`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    spec: RunSpec
    counts_digest: str
    environment: Environment
    code: dict[str, str]
    inputs: dict[str, str]
    hiou: float | None
    miou_seen: float | None
    miou_unseen: float | None


@dataclass(frozen=True)
class ListedTable:
    """Finished runs of the JSON file of a table.

    Attributes:
        convention: Convention of the scores.
        runs: Label of the row and run, in the order of the file.
    """

    convention: str
    runs: tuple[tuple[str, ListedRun], ...]


@dataclass(frozen=True)
class RunCheck:
    """Comparison of one run of a table with the same run of a store.

    Attributes:
        row: Label of the row.
        listed: Run as the table lists it.
        outcome: Result of the comparison.
        deltas: Change of each score of `METRICS` in points, from the table to the store; empty if not different.
        changes: Recorded facts that differ, as (table, store) by name; empty without a result in the store.
        reason: Reason of a failure; empty otherwise.
    """

    row: str
    listed: ListedRun
    outcome: Outcome
    deltas: dict[str, float]
    changes: dict[str, tuple[str, str]]
    reason: str = ""


def read_listed_table(path: Path, *, seeds: Sequence[int] = ()) -> ListedTable:
    """Read the finished runs of a table's JSON file.

    Args:
        path: File that `table --format json` wrote.
        seeds: Seeds to keep; if empty, all.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not the JSON file of a study's table, or lists no finished run of these seeds.
    """
    try:
        value = _TableFile.model_validate_json(path.read_bytes())
        listed = [(row.label, run) for row in value.rows for run in row.list_finished()]
    except ValidationError as error:
        advice = "write it with chimera-bench table STUDY --format json"
        raise ValueError(f"{path} is no table of this version ({describe_first_error(error)}): {advice}") from error
    runs = tuple((label, run) for label, run in listed if not seeds or run.spec.seed in seeds)
    if not runs:
        raise ValueError(f"{path} lists no finished run" + (f" of the seeds {list(seeds)}" if seeds else ""))
    return ListedTable(value.convention, runs)


def compare_with_table(table: ListedTable, store: Store) -> list[RunCheck]:
    """Compare every run of a table with the same run of a store."""
    return [_compare_run(row, listed, store=store, convention=table.convention) for row, listed in table.runs]


def choose_exit_code(comparisons: Sequence[RunCheck]) -> ExitCode:
    """Return SUCCESS only if all runs are identical."""
    outcomes = {comparison.outcome for comparison in comparisons}
    if Outcome.DIFFERENT in outcomes:
        return ExitCode.DIFFERENT
    return ExitCode.SUCCESS if outcomes <= {Outcome.IDENTICAL} else ExitCode.FINISHED_WITH_FAILURES


def format_comparisons(comparisons: Sequence[RunCheck]) -> list[str]:
    """Return lines of text: one a row and outcome, details of each difference, and a summary."""
    lines: list[str] = []
    for row, group in groupby(comparisons, key=lambda comparison: comparison.row):
        lines += _format_row(row, list(group))
    lines += _format_changes(comparisons)
    numbers = {outcome: sum(comparison.outcome is outcome for comparison in comparisons) for outcome in Outcome}
    counted = ", ".join(f"{number} {outcome}" for outcome, number in numbers.items() if number)
    return [*lines, f"{len(comparisons)} runs: {counted}"]


def to_json(comparisons: Sequence[RunCheck]) -> list[dict[str, Any]]:
    """Return the comparisons as JSON values."""
    return [
        {
            "row": comparison.row,
            "id": comparison.listed.spec.id,
            "seed": comparison.listed.spec.seed,
            "outcome": comparison.outcome,
            "deltas": comparison.deltas,
            "changes": comparison.changes,
            "reason": comparison.reason,
        }
        for comparison in comparisons
    ]


class _TableRow(BaseModel):
    label: str
    runs: list[dict[str, Any]]

    def list_finished(self) -> list[ListedRun]:
        return [ListedRun.model_validate(run) for run in self.runs if run.get("state") == RunState.DONE.value]


class _TableFile(BaseModel):
    convention: str
    rows: list[_TableRow]


def _compare_run(row: str, listed: ListedRun, *, store: Store, convention: str) -> RunCheck:
    run = store.run(listed.spec.id)
    snapshot = run.read_snapshot()
    record = snapshot.record
    if record is None:
        return RunCheck(row, listed, Outcome.MISSING, {}, {})
    changes = compare_records(listed, record)
    if record.state is not RunState.DONE:
        reason = record.failure.message if record.failure is not None else ""
        return RunCheck(row, listed, Outcome.FAILED, {}, changes, reason)
    if record.counts_digest == listed.counts_digest:
        return RunCheck(row, listed, Outcome.IDENTICAL, {}, changes)
    return RunCheck(row, listed, Outcome.DIFFERENT, _compute_deltas(listed, record, store, convention), changes)


def _compute_deltas(listed: ListedRun, record: RunRecord, store: Store, convention: str) -> dict[str, float]:
    """Return the change of each score in points; scores that one side lacks are left out."""
    from benchmark.evaluation.scores import CONVENTIONS, score

    name = next(known for known in CONVENTIONS if known == convention)
    scores = score(store.run(record.spec.id).read_counts(record), name)
    originals = {metric: getattr(listed, metric) for metric in METRICS}
    return {metric: getattr(scores, metric) - value for metric, value in originals.items() if value is not None}


def _format_row(row: str, comparisons: Sequence[RunCheck]) -> list[str]:
    """Return a line for the identical runs of a row, one for the missing, and one for each different or failed run."""
    lines: list[str] = []
    for outcome in (Outcome.IDENTICAL, Outcome.MISSING):
        seeds = [str(comparison.listed.spec.seed) for comparison in comparisons if comparison.outcome is outcome]
        lines += [f"{row}: {outcome} (seed{'s' if len(seeds) > 1 else ''} {', '.join(seeds)})"] if seeds else []
    for comparison in comparisons:
        name = f"{row}: seed {comparison.listed.spec.seed}"
        if comparison.outcome is Outcome.DIFFERENT:
            lines.append(f"{name} differs: {_format_deltas(comparison.deltas)}")
        elif comparison.outcome is Outcome.FAILED:
            lines.append(f"{name} failed: {comparison.reason}")
    return lines


def _format_deltas(deltas: dict[str, float]) -> str:
    if all(abs(delta) < SMALLEST_DELTA for delta in deltas.values()):
        return f"the scores are equal within {SMALLEST_DELTA}, the counts are not"
    return ", ".join(f"{METRICS[metric]} {delta:+.4f}" for metric, delta in deltas.items())


def _format_changes(comparisons: Sequence[RunCheck]) -> list[str]:
    """Return the recorded facts that differ for the different runs, each set of facts once."""
    lines: list[str] = []
    different = [comparison for comparison in comparisons if comparison.outcome is Outcome.DIFFERENT]
    for changes in {repr(comparison.changes): comparison.changes for comparison in different}.values():
        rows = [f"{each.row} seed {each.listed.spec.seed}" for each in different if each.changes == changes]
        lines.append(f"Different: {', '.join(rows)}")
        if changes:
            lines += ["  these recorded differences (table -> here) may explain it:", *format_changes(changes)]
        else:
            lines.append(f"  no recorded difference explains it; compared were {describe_compared()}")
    return lines
