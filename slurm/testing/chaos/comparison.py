"""Comparison of runs under faults with the same runs undisturbed; pure functions except for `read_outcome`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.core.run_state import RunState
from benchmark.store.attempts import Attempt
from benchmark.store.store import Store


@dataclass(frozen=True)
class ClusterOutcome:
    """Outcome of a run as a store has it.

    Attributes:
        state: State of the run.
        digest: Digest of the counts, verified against the record; empty if the run is not done.
        attempts: All attempts in order.
        job: Id of the job whose process wrote the record; empty outside of jobs or without a record.
        message: Reason why there are no counts; empty if there are counts.
    """

    state: RunState
    digest: str = ""
    attempts: tuple[Attempt, ...] = ()
    job: str = ""
    message: str = ""

    @property
    def is_resumed(self) -> bool:
        """Whether an attempt resumed from the checkpoint of an earlier attempt."""
        return any(attempt.number > 1 and attempt.checkpoint for attempt in self.attempts)


@dataclass(frozen=True)
class RunComparison:
    """Outcomes of one run without and with faults.

    Attributes:
        id: Id of the run.
        undisturbed: Outcome without faults.
        disturbed: Outcome with faults.
        difference: Difference of the outcomes, or the reason why they cannot be compared; empty if they are equal.
    """

    id: str
    undisturbed: ClusterOutcome
    disturbed: ClusterOutcome
    difference: str


def read_outcome(store: Store, run_id: str) -> ClusterOutcome:
    """Read the outcome of a run and verify its counts against its record."""
    run = store.run(run_id)
    snapshot, attempts = run.read_snapshot(), tuple(run.read_attempts())
    state, record = snapshot.state, snapshot.record
    if record is None:
        return ClusterOutcome(state, attempts=attempts)
    job_by_attempt = {attempt.number: attempt.owner.job for attempt in attempts}
    job = job_by_attempt.get(record.attempts)
    job_id = "" if job is None else job.id
    if record.failure is not None:
        return ClusterOutcome(state, "", attempts, job_id, f"{record.failure.kind}: {record.failure.message}")
    try:
        return ClusterOutcome(state, run.read_counts(record).digest(), attempts, job_id)
    except ValueError as error:
        return ClusterOutcome(RunState.BROKEN, "", attempts, job_id, str(error))


def compare_outcomes(
    undisturbed: Mapping[str, ClusterOutcome], disturbed: Mapping[str, ClusterOutcome]
) -> list[RunComparison]:
    """Compare all runs that either side has.

    Args:
        undisturbed: Outcome without faults by run id.
        disturbed: Outcome with faults by run id.
    """
    missing = ClusterOutcome(RunState.MISSING)
    ids = dict.fromkeys([*undisturbed, *disturbed])
    pairs = [(run_id, undisturbed.get(run_id, missing), disturbed.get(run_id, missing)) for run_id in ids]
    return [RunComparison(run_id, before, after, _find_difference(before, after)) for run_id, before, after in pairs]


def format_report(comparisons: Sequence[RunComparison], event_counts: Mapping[str, int]) -> list[str]:
    """Format the lines of the report.

    Args:
        comparisons: Comparisons of all runs.
        event_counts: Number of occurrences by event.
    """
    outcomes = [comparison.disturbed for comparison in comparisons]
    resumed = sum(outcome.is_resumed for outcome in outcomes)
    histogram = sorted(Counter(len(outcome.attempts) for outcome in outcomes).items())
    identical = sum(not comparison.difference for comparison in comparisons)
    done = sum(outcome.state is RunState.DONE for outcome in outcomes)
    return [
        "events",
        *(f"  {count:>4}  {name}" for name, count in event_counts.items()),
        "attempts per run",
        *(f"  {count:>4}  runs had {attempts}" for attempts, count in histogram),
        f"  {resumed:>4}  runs resumed from a checkpoint at least once",
        "runs: state, attempts, digest of the counts",
        *map(_format_run, comparisons),
        f"{done} of {len(comparisons)} done, {identical} of {len(comparisons)} identical to undisturbed",
    ]


def are_identical(comparisons: Sequence[RunComparison]) -> bool:
    """Return whether there is at least one run, and all runs are done with the same counts."""
    return bool(comparisons) and not any(comparison.difference for comparison in comparisons)


def _find_difference(undisturbed: ClusterOutcome, disturbed: ClusterOutcome) -> str:
    for name, outcome in {"undisturbed": undisturbed, "disturbed": disturbed}.items():
        if outcome.state is not RunState.DONE:
            return " ".join(filter(None, [f"{name}: {outcome.state}", outcome.message]))
    if undisturbed.job or len(undisturbed.attempts) != 1:
        return f"undisturbed: expected one attempt outside of jobs, found {len(undisturbed.attempts)}"
    if not disturbed.job:
        return "disturbed: not computed by a job of the cluster"
    if undisturbed.digest != disturbed.digest:
        return f"different counts: undisturbed {undisturbed.digest[:12]}"
    return ""


def _format_run(comparison: RunComparison) -> str:
    outcome = comparison.disturbed
    attempts = f"{len(outcome.attempts)}{' resumed' if outcome.is_resumed else ''}"
    difference = comparison.difference and f"  <- {comparison.difference}"
    return f"  {outcome.state:<11} {attempts:<11} {outcome.digest[:12]:<12}  {comparison.id}{difference}"
