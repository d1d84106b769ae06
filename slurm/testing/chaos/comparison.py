"""Whether runs that were disturbed came to what the same runs came to undisturbed. Pure, but for `result_of`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.store.attempts import Attempt
from benchmark.store.store import State, Store


@dataclass(frozen=True)
class Result:
    """What a store holds of a run.

    Attributes:
        state: where it stands.
        digest: of its counts, which were read and fit the record; empty where it is not done.
        attempts: every one, the first first.
        job: to which the process that wrote the record belonged; empty outside of jobs, or without a record.
        message: why there are no counts; else empty.
    """

    state: State
    digest: str = ""
    attempts: tuple[Attempt, ...] = ()
    job: str = ""
    message: str = ""

    @property
    def is_resumed(self) -> bool:
        """Whether an attempt went on from what another one had saved."""
        return any(attempt.number > 1 and attempt.checkpoint for attempt in self.attempts)


@dataclass(frozen=True)
class Cell:
    """One run, undisturbed and disturbed.

    Attributes:
        complaint: in what they differ, or why that cannot be said; empty where they are the same.
    """

    id: str
    undisturbed: Result
    disturbed: Result
    complaint: str


def result_of(store: Store, run_id: str) -> Result:
    """Look at a run; its counts are read again and held against the record."""
    state, attempts = store.state(run_id), tuple(store.attempts(run_id))
    if state not in ("done", "failed"):
        return Result(state, attempts=attempts)
    record = store.record(run_id)
    jobs = {attempt.number: attempt.owner.job for attempt in attempts}
    job = found.id if (found := jobs.get(record.attempts)) is not None else ""
    if record.failure is not None:
        return Result(state, "", attempts, job, f"{record.failure.kind}: {record.failure.message}")
    try:
        return Result(state, store.counts(run_id).digest(), attempts, job)
    except ValueError as error:
        return Result("broken", "", attempts, job, str(error))


def compare(undisturbed: Mapping[str, Result], disturbed: Mapping[str, Result]) -> list[Cell]:
    """A cell for every run that is known to either side."""
    nothing = Result("missing")
    ids = dict.fromkeys([*undisturbed, *disturbed])
    pairs = [(run_id, undisturbed.get(run_id, nothing), disturbed.get(run_id, nothing)) for run_id in ids]
    return [Cell(run_id, before, after, _complaint(before, after)) for run_id, before, after in pairs]


def in_words(cells: Sequence[Cell], happened: Mapping[str, int]) -> list[str]:
    """The whole report.

    Args:
        cells: of all runs.
        happened: how often what happened to them.
    """
    results = [cell.disturbed for cell in cells]
    resumed = sum(result.is_resumed for result in results)
    histogram = sorted(Counter(len(result.attempts) for result in results).items())
    same = sum(not cell.complaint for cell in cells)
    done = sum(cell.disturbed.state == "done" for cell in cells)
    return [
        "what happened",
        *(f"  {count:>4}  {name}" for name, count in happened.items()),
        "attempts of a run",
        *(f"  {count:>4}  runs had {attempts}" for attempts, count in histogram),
        f"  {resumed:>4}  went on from a checkpoint at least once",
        "runs: state, attempts, digest of the counts",
        *map(_line, cells),
        f"{done} of {len(cells)} done, {same} of {len(cells)} the same as undisturbed",
    ]


def is_good(cells: Sequence[Cell]) -> bool:
    """Whether there are runs, and all are done and the same."""
    return bool(cells) and not any(cell.complaint for cell in cells)


def _complaint(undisturbed: Result, disturbed: Result) -> str:
    for name, result in {"undisturbed": undisturbed, "disturbed": disturbed}.items():
        if result.state != "done":
            return " ".join(filter(None, [f"{name}: {result.state}", result.message]))
    if undisturbed.job or len(undisturbed.attempts) != 1:
        return f"undisturbed: not made by one process outside of jobs, but by {len(undisturbed.attempts)} attempts"
    if not disturbed.job:
        return "disturbed: not made by a job of the cluster"
    if undisturbed.digest != disturbed.digest:
        return f"other counts: undisturbed {undisturbed.digest[:12]}"
    return ""


def _line(cell: Cell) -> str:
    result = cell.disturbed
    tries = f"{len(result.attempts)}{' resumed' if result.is_resumed else ''}"
    verdict = cell.complaint and f"  <- {cell.complaint}"
    return f"  {result.state:<11} {tries:<11} {result.digest[:12]:<12}  {cell.id}{verdict}"
