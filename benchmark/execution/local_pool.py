"""Runs on this machine: a bounded pool of processes, one run each.

A run that dies takes no other with it: where a process ends without a record, the failure is recorded here, with the
signal and the end of its log. Within a cluster's job a run has several lives: its process is started again from the
last checkpoint, until attempts in a row bring it no further.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.oom import memory_kills
from benchmark.execution.worker_process import GRACE_S, Resources, Running, Starter, end_processes, start_worker
from benchmark.store import failures
from benchmark.store.failures import record_failure
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import BusyError, holding, owner, this_process

POLL_S = 0.2
RESTART_PAUSE_S = 2.0
"""Between the death of a process and the next try, as whatever ended it may be about to end all."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended for this pool.

    Attributes:
        state: RUNNING if another process works on the run; INTERRUPTED if the run was interrupted and can be resumed.
        message: why it failed, one line; else empty.
    """

    state: RunState
    message: str = ""


@dataclass(frozen=True)
class Snapshot:
    """Where the pool stands.

    Attributes:
        waiting: ids that have not begun, in order.
        running: last heartbeat by id, None before the first.
        outcomes: by id, in the order in which they ended.
    """

    waiting: tuple[str, ...]
    running: dict[str, dict[str, Any] | None]
    outcomes: dict[str, Outcome]


Watcher = Callable[[Snapshot], None]


@dataclass(frozen=True)
class _Job:
    """A process, the number of the attempt it makes at a run, and the device it was given."""

    spec: RunSpec
    process: Running
    number: int
    device: str


ALONE = Resources()


@dataclass(frozen=True)
class Lives:
    """How often a run may be started again.

    Attributes:
        count: attempts in a row without progress after which it has failed.
        after: by id, how many attempts there were before; those do not count.
    """

    count: int
    after: Mapping[str, int] = field(default_factory=dict)


@dataclass
class _Pool:
    store: Store
    each: Resources
    waiting: deque[RunSpec]
    start: Starter
    lives: Lives | None = None
    running: dict[str, _Job] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    rests_until: float = 0.0
    memory_kills: int = 0

    def free_device(self) -> str:
        """The device that the fewest runs work on; empty where devices are not shared out."""
        taken = Counter(job.device for job in self.running.values())
        return min(self.each.devices, key=lambda device: taken[device], default="")

    def has_lives(self, run_id: str) -> bool:
        """Whether a run may be started once more."""
        if self.lives is None:
            return False
        return self.store.run(run_id).count_stalls(after=self.lives.after.get(run_id, 0)) < self.lives.count

    def snapshot(self) -> Snapshot:
        beats = {run_id: _own_heartbeat(self.store, job) for run_id, job in self.running.items()}
        return Snapshot(tuple(spec.id for spec in self.waiting), beats, dict(self.outcomes))


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_all(
    specs: Sequence[RunSpec],
    *,
    store: Store,
    jobs: int | None = None,
    each: Resources = ALONE,
    start: Starter | None = None,
    lives: Lives | None = None,
    grace_s: float = GRACE_S,
    observe: Watcher | None = None,
) -> dict[str, Outcome]:
    """Run every spec that is not done yet; what failed before is tried again.

    Args:
        specs: in the order in which they begin.
        store: where they are kept.
        jobs: processes at a time; as many as there are processors where None.
        each: what each process may use; under another number of threads sums may differ in the last bit.
        start: starts the process of a run; `start_worker` where None.
        lives: of every run; without them a process that dies is a run that failed.
        grace_s: seconds that processes have to save what they did when this one is told to end.
        observe: told where the pool stands, several times a second.

    Returns:
        The outcome by id.

    Raises:
        KeyboardInterrupt: interrupted, or told to end; the pool's own processes are ended first.
    """
    waiting = deque({spec.id: spec for spec in specs}.values())
    pool = _Pool(store, each, waiting, start or start_worker, lives=lives, memory_kills=memory_kills() or 0)
    watch = observe or (lambda _: None)
    with _told_to_end_is_interrupted():
        try:
            while pool.waiting or pool.running:
                _start(pool, jobs=jobs or cores())
                watch(pool.snapshot())
                time.sleep(POLL_S)
                _collect(pool)
        finally:
            end_processes([job.process for job in pool.running.values()], grace_s=grace_s)
    watch(pool.snapshot())
    return pool.outcomes


def _start(pool: _Pool, *, jobs: int) -> None:
    while pool.waiting and len(pool.running) < jobs and time.monotonic() >= pool.rests_until:
        spec = pool.waiting.popleft()
        state = pool.store.run(spec.id).read_state()
        if state in (RunState.DONE, RunState.RUNNING) and not _is_left_behind(spec, pool.store):
            pool.outcomes[spec.id] = Outcome(state)
        elif pool.lives is not None and not pool.has_lives(spec.id):
            pool.outcomes[spec.id] = _given_up(spec, pool)
        else:
            number, device = int(pool.store.run(spec.id).next_attempt_path.name), pool.free_device()
            process = pool.start(spec, store=pool.store, each=pool.each, device=device)
            pool.running[spec.id] = _Job(spec, process, number, device)


def _is_left_behind(spec: RunSpec, store: Store) -> bool:
    """Whether who works on a run belongs to an earlier start of the job that this process belongs to."""
    me, held = this_process(), owner(store.run(spec.id).path)
    return held is not None and me.job is not None and me.job.replaces(held.job)


def _collect(pool: _Pool) -> None:
    for run_id, job in list(pool.running.items()):
        code = job.process.poll()
        if code is not None:
            del pool.running[run_id]
            outcome = _outcome(job, pool, code=code)
            if outcome is None:
                pool.waiting.append(job.spec)
                pool.rests_until = time.monotonic() + RESTART_PAUSE_S
            else:
                pool.outcomes[run_id] = outcome


def _outcome(job: _Job, pool: _Pool, *, code: int) -> Outcome | None:
    """What a process left; where it left no record, one is written in its stead. None for another try."""
    run = pool.store.run(job.spec.id)
    try:
        if code in (ExitCode.BUSY, ExitCode.SUPERSEDED):
            return Outcome(RunState.RUNNING)
        with holding(run.path):
            if not _has_left_record(job, run):
                if len(run.read_attempts()) < job.number:
                    run.begin_attempt(job.spec)  # a process that dies before it begins has used up an attempt too
                by_memory = _was_killed_for_memory(pool, code=code)
                if pool.has_lives(run.id) and not by_memory:
                    return None
                if code == ExitCode.INTERRUPTED and pool.lives is None:
                    return Outcome(RunState.INTERRUPTED, failures.describe_exit(code))
                failure = failures.explain_exit(code, log_tail=run.read_log_tail(), is_out_of_memory=by_memory)
                record_failure(job.spec, failure, store=pool.store, number=job.number, threads=pool.each.threads)
        record = run.read_record()
    except BusyError:
        return Outcome(RunState.RUNNING)
    except (OSError, ValueError) as error:
        return Outcome(RunState.FAILED, f"{failures.describe_exit(code)}; its record is lost: {error}")
    return Outcome(record.state, record.failure.message if record.failure else "")


def _has_left_record(job: _Job, run: RunFolder) -> bool:
    """Whether there is a record, and not that of an attempt before this one."""
    return run.record_path.exists() and run.read_record().attempts >= job.number


def _was_killed_for_memory(pool: _Pool, *, code: int) -> bool:
    before, pool.memory_kills = pool.memory_kills, memory_kills() or 0
    return code == -signal.SIGKILL and pool.memory_kills > before


def _given_up(spec: RunSpec, pool: _Pool) -> Outcome:
    """Attempts that other starts of this job made brought the run no further: it has failed."""
    store, lives = pool.store, pool.lives or Lives(1)
    failure = failures.explain_stall(lives.count, log_tail=store.run(spec.id).read_log_tail())
    try:
        with holding(store.run(spec.id).path):
            record_failure(spec, failure, store=store, threads=pool.each.threads)
    except BusyError:
        return Outcome(RunState.RUNNING)
    return Outcome(RunState.FAILED, failure.message)


def _own_heartbeat(store: Store, job: _Job) -> dict[str, Any] | None:
    """The last heartbeat, unless it is that of an earlier attempt."""
    beat = store.run(job.spec.id).read_heartbeat()
    return beat if beat is not None and beat.get("pid") == job.process.pid else None


@contextmanager
def _told_to_end_is_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP act like Ctrl-C meanwhile, once; nothing changes outside the main thread."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # so that a second one does not cut short what the first one began
        raise KeyboardInterrupt

    try:
        before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
