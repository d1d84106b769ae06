"""What becomes of each run when another store is merged into ours: a decision from the files of both, which reads only.

A result is never overwritten. Results are equal if the digests of their pixel counts are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from benchmark.core.environment import describe_arithmetic, list_differences
from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.store.run_folder import RunFolder
from benchmark.store.run_snapshot import RunSnapshot


class Fate(StrEnum):
    """What becomes of a run of the other store."""

    NEW = "new"
    """It is copied."""
    REPLACES = "replacing ours"
    """It is copied in place of ours, which is unfinished or failed, and is kept in a folder of its own."""
    IDENTICAL = "identical"
    DIFFERENT = "different"
    """Both are done with other counts: neither changes."""
    RUNNING = "running"
    """A process works on one of them."""
    OLDER = "not newer than ours"
    """Neither is done, or only ours is."""
    EMPTY = "not started"
    BROKEN = "broken"


@dataclass(frozen=True)
class MergeDecision:
    """Decision on one run.

    Attributes:
        run_id: Id of the run.
        fate: What becomes of it.
        reason: Explanation in one line; empty if the fate says it all.
    """

    run_id: str
    fate: Fate
    reason: str = ""

    @property
    def is_copied(self) -> bool:
        """Whether the run of the other store is copied into ours."""
        return self.fate in (Fate.NEW, Fate.REPLACES)


def decide(ours: RunFolder, theirs: RunFolder) -> MergeDecision:
    """Decide what becomes of a run of the other store.

    Args:
        ours: Folder of the run in our store; it need not exist.
        theirs: Folder of the run in the other store.
    """
    other = theirs.read_snapshot()
    problem = find_problem(theirs, other)
    if problem:
        return MergeDecision(ours.id, Fate.BROKEN, problem)
    if other.state is RunState.RUNNING:
        return MergeDecision(ours.id, Fate.RUNNING, "running there")
    if other.state is RunState.MISSING:
        return MergeDecision(ours.id, Fate.EMPTY)
    if not ours.path.exists():
        return MergeDecision(ours.id, Fate.NEW)
    return _decide_between(ours, theirs, other)


def find_problem(run: RunFolder, snapshot: RunSnapshot) -> str:
    """Return why the files of a run cannot be trusted, one line; empty if they can.

    Its spec, record and counts must be readable and belong together.
    """
    try:
        if snapshot.state is RunState.BROKEN:
            return snapshot.problem
        if snapshot.state is RunState.DONE and snapshot.record is not None:
            run.read_counts(snapshot.record)
        if run.spec_path.is_file() and run.read_spec().id != run.id:
            return f"{run.spec_path} is the spec of another run, {run.read_spec().id}"
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def _decide_between(ours: RunFolder, theirs: RunFolder, other: RunSnapshot) -> MergeDecision:
    """Decide on a run that both stores have; that of the other store is neither running nor broken."""
    mine = ours.read_snapshot()
    if mine.state is RunState.RUNNING:
        return MergeDecision(ours.id, Fate.RUNNING, "running here")
    if other.record is not None and mine.record is not None:
        if other.record.counts_digest == mine.record.counts_digest and other.state is RunState.DONE:
            return MergeDecision(ours.id, Fate.IDENTICAL)
        if other.record == mine.record:
            return MergeDecision(ours.id, Fate.IDENTICAL)
        if other.state is mine.state is RunState.DONE:
            return MergeDecision(ours.id, Fate.DIFFERENT, describe_records(mine.record, other.record))
    if mine.state is RunState.DONE:
        return MergeDecision(ours.id, Fate.OLDER, f"{other.state} there, done here")
    if mine.state is RunState.BROKEN:
        return MergeDecision(ours.id, Fate.BROKEN, f"ours is broken: {mine.problem}")
    if other.state is RunState.DONE:
        return MergeDecision(ours.id, Fate.REPLACES, f"done there, {mine.state} here")
    newest = find_newest(theirs, other)
    if mine.state is RunState.MISSING or newest > find_newest(ours, mine):
        return MergeDecision(ours.id, Fate.REPLACES, f"{other.state} there at {newest}, {mine.state} here before")
    return MergeDecision(ours.id, Fate.OLDER, f"{other.state} there, {mine.state} here, and ours is as new or newer")


def find_newest(run: RunFolder, snapshot: RunSnapshot) -> str:
    """Return the time of the newest sign of work on an unfinished run, ISO 8601 in UTC; empty if there is none."""
    try:
        times = [attempt.started for attempt in run.read_attempts()]
    except ValueError:
        times = []
    beat = run.read_heartbeat() or {}
    beaten = beat.get("time")
    times += [datetime.fromtimestamp(beaten, UTC).isoformat(timespec="seconds")] if isinstance(beaten, float) else []
    times += [snapshot.record.finished] if snapshot.record is not None else []
    return max(times, default="")


def describe_records(ours: RunRecord, theirs: RunRecord) -> str:
    """Describe in one line where two different results of one run come from."""
    counts = f"counts {(ours.counts_digest or '')[:12]} here, {(theirs.counts_digest or '')[:12]} there"
    if ours.imported is not None and theirs.imported is not None:
        return f"{counts}; imported from {ours.imported.folder} and from {theirs.imported.folder}"
    here, there = (describe_arithmetic(record.environment) for record in (ours, theirs))
    machines = f"both under {here}" if here == there else f"here under {here}; there under {there}"
    changes = list_differences(ours.environment, theirs.environment)
    changes |= {
        f"code {name}": (ours.code.get(name, "absent")[:8], theirs.code.get(name, "absent")[:8])
        for name in sorted({*ours.code, *theirs.code})
        if ours.code.get(name) != theirs.code.get(name)
    }
    facts = ", ".join(f"{name} {mine or 'none'}/{other or 'none'}" for name, (mine, other) in list(changes.items())[:6])
    more = f" and {len(changes) - 6} more" if len(changes) > 6 else ""
    return f"{counts}; {machines}" + (f"; differing: {facts}{more}" if facts else "; no recorded fact differs")
