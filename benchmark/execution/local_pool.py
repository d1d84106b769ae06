"""Runs on this machine: a bounded pool of worker processes, one per run.

The death of one run does not affect the others. If a process ends without a record, the pool records the failure with
the signal and the end of the log. With a retry policy, the pool starts the process again from the last checkpoint until
several attempts in a row have made no progress.
"""

from __future__ import annotations

import signal
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from benchmark.core.run_spec import RunSpec
from benchmark.core.run_state import RunState
from benchmark.execution.devices import choose_least_used
from benchmark.execution.oom import count_oom_kills
from benchmark.execution.time_limit import TimeLimitedWorker, describe_limit
from benchmark.execution.worker_process import (
    GRACE_S,
    WorkerHandle,
    WorkerResources,
    WorkerStarter,
    end_processes,
    start_worker,
)
from benchmark.store import failures
from benchmark.store.run_folder import RunFolder
from benchmark.store.store import Store
from benchmark.utils.atomic_files import UnreadableError, describe_error
from benchmark.utils.exit_codes import ExitCode
from benchmark.utils.lock import BusyError, find_owner, hold_lock, identify_this_process
from benchmark.utils.processes import count_cores

POLL_S = 0.2
RESTART_PAUSE_S = 2.0
"""Pause after the death of a process, as its cause may be about to end all processes."""


@dataclass(frozen=True)
class RunOutcome:
    """Outcome of a run in this pool.

    Attributes:
        state: RUNNING if another process works on the run; INTERRUPTED if the run was interrupted and can be resumed.
        message: Reason of a failure in one line; else empty.
    """

    state: RunState
    message: str = ""


@dataclass(frozen=True)
class PoolSnapshot:
    """State of the pool at one time.

    Attributes:
        waiting: Ids of the runs that have not started, in order.
        running: Last heartbeat of each running run by id; None before the first heartbeat.
        outcomes: Outcomes by id, in the order in which the runs ended.
    """

    waiting: tuple[str, ...]
    running: dict[str, dict[str, Any] | None]
    outcomes: dict[str, RunOutcome]


PoolObserver = Callable[[PoolSnapshot], None]


@dataclass(frozen=True)
class RetryPolicy:
    """How often a run is started again after its process died.

    Attributes:
        max_attempts_without_progress: Attempts in a row without progress after which the run has failed.
        earlier_attempts: Number of attempts by id that do not count, because they precede the current job.
    """

    max_attempts_without_progress: int
    earlier_attempts: Mapping[str, int] = field(default_factory=dict)

    def allows_attempt(self, run: RunFolder) -> bool:
        """Return whether the run may be started again."""
        stalls = run.count_stalls(after=self.earlier_attempts.get(run.id, 0))
        return stalls < self.max_attempts_without_progress


def run_all(
    specs: Sequence[RunSpec],
    *,
    store: Store,
    jobs: int | None = None,
    resources: WorkerResources | None = None,
    start: WorkerStarter | None = None,
    retry: RetryPolicy | None = None,
    grace_s: float = GRACE_S,
    observe: PoolObserver | None = None,
) -> dict[str, RunOutcome]:
    """Run every spec that is not done yet, including those that failed before.

    Args:
        specs: Specs in the order in which they start.
        store: Store that holds the runs.
        jobs: Number of processes at a time; None for the number of processors.
        resources: Resources of each process; another number of threads may change the last bit of sums.
        start: Function that starts the process of a run; None for `start_worker`.
        retry: Retry policy; with None, a run fails when its process dies.
        grace_s: Grace period in which processes can save when this process is interrupted.
        observe: Function that is called with the state of the pool several times a second.

    Returns:
        Outcome of each run by id.

    Raises:
        KeyboardInterrupt: This process was interrupted; the processes of the pool have been ended.
    """
    pool = _Pool(specs, store=store, resources=resources or WorkerResources(), start=start or start_worker, retry=retry)
    observe = observe or (lambda _: None)
    with _interrupt_on_signals():
        try:
            while pool.is_active:
                pool.start_runs(jobs=jobs or count_cores())
                observe(pool.take_snapshot())
                time.sleep(POLL_S)
                pool.collect_outcomes()
        finally:
            end_processes(pool.list_processes(), grace_s=grace_s)
    observe(pool.take_snapshot())
    return pool.outcomes


@dataclass(frozen=True)
class _RunningWorker:
    """A worker process of the pool.

    Attributes:
        spec: Spec of the run.
        process: Handle of the process.
        attempt: Number of the attempt that the process makes.
        device: Name of the CUDA device of the run; empty for all devices.
    """

    spec: RunSpec
    process: TimeLimitedWorker
    attempt: int
    device: str


class _Pool:
    """State of a pool; see `run_all` for the arguments."""

    def __init__(
        self,
        specs: Sequence[RunSpec],
        *,
        store: Store,
        resources: WorkerResources,
        start: WorkerStarter,
        retry: RetryPolicy | None,
    ) -> None:
        self._store, self._resources, self._start, self._retry = store, resources, start, retry
        self._waiting = deque({spec.id: spec for spec in specs}.values())
        self._workers: dict[str, _RunningWorker] = {}
        self._next_start_s = 0.0
        self._oom_kills = count_oom_kills() or 0
        self.outcomes: dict[str, RunOutcome] = {}

    @property
    def is_active(self) -> bool:
        """Whether a run is waiting or running."""
        return bool(self._waiting or self._workers)

    def list_processes(self) -> list[WorkerHandle]:
        """List the running processes."""
        return [worker.process for worker in self._workers.values()]

    def take_snapshot(self) -> PoolSnapshot:
        """Take a snapshot of the pool."""
        heartbeats = {run_id: self._read_heartbeat(worker) for run_id, worker in self._workers.items()}
        return PoolSnapshot(tuple(spec.id for spec in self._waiting), heartbeats, dict(self.outcomes))

    def start_runs(self, *, jobs: int) -> None:
        """Start waiting runs until `jobs` processes are running."""
        while self._waiting and len(self._workers) < jobs and time.monotonic() >= self._next_start_s:
            spec = self._waiting.popleft()
            try:
                self._start_run(spec, self._store.run(spec.id))
            except (OSError, ValueError) as error:  # of this run's files: the other runs go on
                self.outcomes[spec.id] = RunOutcome(RunState.BROKEN, describe_error(error))

    def _start_run(self, spec: RunSpec, run: RunFolder) -> None:
        """Start the process of a run, unless another one works on it or it is given up."""
        snapshot = run.read_snapshot()
        state = snapshot.state
        if snapshot.is_unreadable:
            raise UnreadableError(snapshot.problem)
        if state in (RunState.DONE, RunState.RUNNING) and not _is_abandoned(run):
            self.outcomes[spec.id] = RunOutcome(state)
        elif self._retry is not None and not self._retry.allows_attempt(run):
            self.outcomes[spec.id] = self._give_up(spec, run, attempts=self._retry.max_attempts_without_progress)
        else:
            attempt = int(run.next_attempt_path.name)
            device = choose_least_used(self._resources.devices, [w.device for w in self._workers.values()])
            process = self._start(spec, store=self._store, resources=self._resources, device=device)
            limited = TimeLimitedWorker(process, limit_s=self._resources.time_limit_s)
            self._workers[spec.id] = _RunningWorker(spec, limited, attempt, device)

    def collect_outcomes(self) -> None:
        """Collect the outcomes of processes that have ended, and queue runs that are to be started again."""
        for run_id, worker in list(self._workers.items()):
            code = worker.process.poll()
            if code is None:
                continue
            del self._workers[run_id]
            outcome = self._determine_outcome(worker, code)
            if outcome is None:
                self._waiting.append(worker.spec)
                self._next_start_s = time.monotonic() + RESTART_PAUSE_S
            else:
                self.outcomes[run_id] = outcome

    def _determine_outcome(self, worker: _RunningWorker, code: int) -> RunOutcome | None:
        """Return the outcome of a process that has ended; None if its run is to be started again."""
        run = self._store.run(worker.spec.id)
        if code in (ExitCode.BUSY, ExitCode.SUPERSEDED):
            return RunOutcome(RunState.RUNNING)
        try:
            with hold_lock(run.path):
                if not _has_record(run, attempt=worker.attempt):
                    return self._handle_missing_record(worker, run, code=code)
                record = run.read_record()
        except BusyError:
            return RunOutcome(RunState.RUNNING)
        except (OSError, ValueError) as error:
            return RunOutcome(RunState.FAILED, f"{failures.describe_exit(code)}; its record is lost: {error}")
        return RunOutcome(record.state, record.failure.summary if record.failure else "")

    def _handle_missing_record(self, worker: _RunningWorker, run: RunFolder, *, code: int) -> RunOutcome | None:
        """Record the failure of a process without a record, unless its run can resume; None to start the run again."""
        if len(run.read_attempts()) < worker.attempt:
            run.begin_attempt(worker.spec)  # a process that dies before it begins has used up an attempt too
        if worker.process.has_reached_limit:
            return RunOutcome(RunState.INTERRUPTED, describe_limit(run, limit_s=self._resources.time_limit_s))
        is_out_of_memory = self._was_killed_for_memory(code)
        if self._retry is not None and self._retry.allows_attempt(run) and not is_out_of_memory:
            return None
        if code == ExitCode.INTERRUPTED and self._retry is None:
            return RunOutcome(RunState.INTERRUPTED, failures.describe_exit(code))
        failure = failures.explain_exit(code, log_tail=run.read_log_tail(), is_out_of_memory=is_out_of_memory)
        failures.record_failure(
            worker.spec, failure, store=self._store, number=worker.attempt, threads=self._resources.threads
        )
        return RunOutcome(RunState.FAILED, failure.message)

    def _was_killed_for_memory(self, code: int) -> bool:
        kills_before, self._oom_kills = self._oom_kills, count_oom_kills() or 0
        return code == -signal.SIGKILL and self._oom_kills > kills_before

    def _give_up(self, spec: RunSpec, run: RunFolder, *, attempts: int) -> RunOutcome:
        """Record the failure of a run whose attempts in earlier starts of this job made no progress."""
        failure = failures.explain_stall(attempts, log_tail=run.read_log_tail())
        try:
            with hold_lock(run.path):
                failures.record_failure(spec, failure, store=self._store, threads=self._resources.threads)
        except BusyError:
            return RunOutcome(RunState.RUNNING)
        return RunOutcome(RunState.FAILED, failure.message)

    def _read_heartbeat(self, worker: _RunningWorker) -> dict[str, Any] | None:
        """Read the last heartbeat; None if there is none of this process."""
        heartbeat = self._store.run(worker.spec.id).read_heartbeat()
        return heartbeat if heartbeat is not None and heartbeat.get("pid") == worker.process.pid else None


def _is_abandoned(run: RunFolder) -> bool:
    """Return whether the process that works on a run belongs to an earlier start of this process's job."""
    me, lock_owner = identify_this_process(), find_owner(run.path)
    return lock_owner is not None and me.job is not None and me.job.replaces(lock_owner.job)


def _has_record(run: RunFolder, *, attempt: int) -> bool:
    """Return whether an attempt, or a later one, has left a record."""
    return run.record_path.exists() and run.read_record().attempts >= attempt


@contextmanager
def _interrupt_on_signals() -> Iterator[None]:
    """Make the first SIGTERM or SIGHUP within the context raise KeyboardInterrupt, in the main thread only."""

    def interrupt(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second signal must not interrupt the handling of the first
        raise KeyboardInterrupt

    try:
        handlers = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP)}
    except ValueError:  # not in the main thread
        yield
        return
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
