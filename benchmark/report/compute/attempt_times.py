"""Time of every attempt at a run that is on record, and of which attempts it is not.

A record has the start and the end of the attempt that wrote it. A failed attempt leaves its record in its folder when
the next one begins. Of an attempt that was killed, only the start and the last heartbeat are known; of results that
`rerun` or `merge` replaced, everything that is kept aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from benchmark.core.environment import Environment
from benchmark.core.run_record import RunRecord
from benchmark.core.run_state import RunState
from benchmark.report.slim_counts import read_slim_counts
from benchmark.store.attempts import Attempt, get_attempt_folder, read_attempts
from benchmark.store.progress import read_heartbeat
from benchmark.store.reruns import open_rerun_store
from benchmark.store.run_paths import RunPaths
from benchmark.store.store import Store
from benchmark.utils.atomic_files import describe_error, read_value


class Ending(StrEnum):
    """How an attempt ended."""

    DONE = "done"
    """Its result is the run's result."""
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    """It left no record: it was interrupted or killed, or is still running."""
    REPLACED = "replaced"
    """It was done, and another result has taken its place, or is to do so as this one cannot be read."""


@dataclass(frozen=True)
class AttemptTime:
    """An attempt at a run.

    Attributes:
        run_id: ID of the run.
        number: Number of the attempt.
        ending: How it ended.
        seconds: Wall time; None if it is not on record.
        is_least: Whether the attempt took at least this time, and perhaps longer.
        started: Time of the start in UTC, ISO 8601; empty if unknown.
        host: Host of the process; empty if unknown.
        record: Record that the attempt wrote; None if it wrote none.
        problem: Reason why the result of the run cannot be read, one line; empty if it can or if there is none.
    """

    run_id: str
    number: int
    ending: Ending
    seconds: float | None = None
    is_least: bool = False
    started: str = ""
    host: str = ""
    record: RunRecord | None = None
    problem: str = ""

    @property
    def environment(self) -> Environment | None:
        """Environment of the attempt; None if it is not on record."""
        return self.record.environment if self.record is not None and _is_own(self.record) else None


def read_attempt_times(
    store: Store, run_id: str, *, replaced: Mapping[str, Sequence[Path]], result: RunRecord | None = None
) -> list[AttemptTime]:
    """Return all attempts at a run that have left a trace, those at its reruns and replaced results included.

    Args:
        store: Store that holds the run.
        run_id: ID of the run; it need not have a folder.
        replaced: Folders of replaced results by the IDs of their runs, see `list_replaced`.
        result: Record of a result that was read with its counts just now; None to read both.
    """
    current = _read_folder(store.run(run_id).path, run_id, result)
    if result is None:
        current = [_check_result(store, time) for time in current]
    folders = [open_rerun_store(store).run(run_id).path, *replaced.get(run_id, ())]
    aside = [_mark_replaced(time) for folder in folders for time in _read_folder(folder, run_id)]
    unique: dict[tuple[int, str], AttemptTime] = {}
    for attempt in (*current, *aside):
        unique.setdefault((attempt.number, attempt.started), attempt)  # a copy that `merge` has put aside is one
    return list(unique.values())


def _read_folder(folder: Path, run_id: str, result: RunRecord | None = None) -> list[AttemptTime]:
    """Return the attempts of one folder of a run, whose record is not read if it is given."""
    paths = RunPaths(folder)
    try:
        attempts = {attempt.number: attempt for attempt in read_attempts(folder)}
    except (OSError, ValueError):
        attempts = {}
    files = [get_attempt_folder(folder, number) / paths.record_path.name for number in sorted(attempts)]
    read = _read_records(files if result is not None else [*files, paths.record_path])
    own = [record for record in read if record.spec.id == run_id]  # not copied to here
    known = own if result is None else [*own, result]
    records = {record.attempts: record for record in known if record.imported is None}
    last = max([*attempts, *records], default=0)
    times = [_time_attempt(run_id, at, attempts.get(at), records.get(at)) for at in range(1, last + 1)]
    return _add_continued_training([*times[:-1], *(_add_heartbeat(time, paths) for time in times[-1:])])


def _read_records(files: Iterable[Path]) -> Iterator[RunRecord]:
    for path in files:
        try:
            yield read_value(RunRecord, path)
        except ValueError:
            continue


def _check_result(store: Store, time: AttemptTime) -> AttemptTime:
    """Return an attempt; one that was done and whose result no table can read as one that is to be replaced."""
    if time.ending is not Ending.DONE or time.record is None:
        return time
    try:
        read_slim_counts(store.run(time.run_id), time.record)
    except (ValueError, OSError) as error:
        return replace(time, ending=Ending.REPLACED, problem=store.shorten_paths(describe_error(error)))
    return time


def _mark_replaced(time: AttemptTime) -> AttemptTime:
    """Return an attempt of a result that has been replaced, or that is to replace another one."""
    return replace(time, ending=Ending.REPLACED) if time.ending is Ending.DONE else time


def _time_attempt(run_id: str, number: int, attempt: Attempt | None, record: RunRecord | None) -> AttemptTime:
    """Return the time of an attempt as far as its record tells it."""
    started = attempt.started if attempt is not None else record.started if record is not None else ""
    host = attempt.owner.host if attempt is not None else ""
    if record is None:
        return AttemptTime(run_id, number, Ending.INTERRUPTED, started=started, host=host)
    ending = Ending.DONE if record.state is RunState.DONE else Ending.FAILED
    seconds = _measure(record.started, record.finished) if _is_own(record) else None
    return AttemptTime(run_id, number, ending, seconds, started=started, host=host, record=record)


def _is_own(record: RunRecord) -> bool:
    """Return whether the attempt wrote its record itself.

    The record of a process that was killed is written by another one, maybe long after and on another machine; it has
    no code.
    """
    return bool(record.code) or record.state is RunState.DONE


def _add_heartbeat(time: AttemptTime, paths: RunPaths) -> AttemptTime:
    """Return an attempt of unknown time with the time until its last heartbeat, if it has one."""
    beat = (read_heartbeat(paths.heartbeat_path) or {}).get("time")
    if time.seconds is not None or not time.started or not isinstance(beat, int | float):
        return time
    seconds = beat - datetime.fromisoformat(time.started).timestamp()
    return replace(time, seconds=seconds, is_least=True) if seconds > 0 else time


def _add_continued_training(times: list[AttemptTime]) -> list[AttemptTime]:
    """Return attempts, the last unknown one with the training that the result has from earlier attempts, at least."""
    result = next((time for time in times if time.record is not None and time.record.cost is not None), None)
    unknown = [index for index, time in enumerate(times) if time.seconds is None]
    if result is None or result.record is None or result.record.cost is None or not unknown:
        return times
    excess = result.record.cost.train_seconds - sum(time.seconds or 0.0 for time in times)
    if excess <= 1.0:  # starts and ends are recorded in whole seconds
        return times
    found = replace(times[unknown[-1]], seconds=excess, is_least=True)
    return [found if index == unknown[-1] else time for index, time in enumerate(times)]


def _measure(started: str, finished: str) -> float:
    return max(0.0, (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds())
