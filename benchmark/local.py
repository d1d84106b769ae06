"""Runs on this machine: a bounded pool of processes, one run each.

A run that dies takes no other with it: where a process ends without a record, the failure is recorded here, with the
signal and the end of its log.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Literal

from benchmark.files import last_lines
from benchmark.lock import Busy, holding
from benchmark.run import Failure, RunRecord, RunSpec
from benchmark.store import Store

POLL_S = 0.2
GRACE_S = 10.0
"""Processes that are told to end have so long before they are killed."""

LOG_LINES = 30
_BUSY, _TOLD = 75, 130  # as `benchmark.worker` says it, which imports what is not needed here

Ending = Literal["done", "failed", "elsewhere"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended for this pool.

    Attributes:
        state: "elsewhere" where another process works on it.
        message: why it failed, one line; else empty.
    """

    state: Ending
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
    """A process, and the number of the attempt it makes at a run."""

    spec: RunSpec
    process: subprocess.Popen[bytes]
    number: int
    log: Path


@dataclass(frozen=True)
class Resources:
    """What each process may use: CPU threads, and processes that read images ahead."""

    threads: int = 1
    workers: int = 0


@dataclass
class _Pool:
    store: Store
    each: Resources
    waiting: deque[RunSpec]
    running: dict[str, _Job] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)

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
    threads: int = 1,
    workers: int = 0,
    observe: Watcher | None = None,
) -> dict[str, Outcome]:
    """Run every spec that is not done yet; what failed before is tried again.

    Args:
        specs: in the order in which they begin.
        store: where they are kept.
        jobs: processes at a time; as many as there are processors where None.
        threads: of each process on the CPU; sums may differ in the last bit under another number.
        workers: processes of each run that read images ahead; they change no result.
        observe: told where the pool stands, several times a second.

    Returns:
        The outcome by id.

    Raises:
        KeyboardInterrupt: interrupted, or told to end; the pool's own processes are ended first.
    """
    pool = _Pool(store, Resources(threads, workers), deque({spec.id: spec for spec in specs}.values()))
    watch = observe or (lambda _: None)
    with _told_to_end_is_interrupted():
        try:
            while pool.waiting or pool.running:
                _start(pool, jobs=jobs or cores())
                watch(pool.snapshot())
                time.sleep(POLL_S)
                _collect(pool)
        finally:
            end_processes([job.process for job in pool.running.values()])
    watch(pool.snapshot())
    return pool.outcomes


def end_processes(processes: Sequence[subprocess.Popen[bytes]], *, grace_s: float = GRACE_S) -> None:
    """Tell own processes to end, and kill those that do not in time."""
    for process in processes:
        process.terminate()
    until = time.monotonic() + grace_s
    try:
        for process in processes:
            process.wait(timeout=max(0.0, until - time.monotonic()))
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        for process in processes:
            process.kill()
            process.wait()


def _start(pool: _Pool, *, jobs: int) -> None:
    while pool.waiting and len(pool.running) < jobs:
        spec = pool.waiting.popleft()
        state = pool.store.state(spec.id)
        if state in ("done", "running"):
            pool.outcomes[spec.id] = Outcome("done" if state == "done" else "elsewhere")
            continue
        log = pool.store.upcoming(spec.id) / "log.txt"
        pool.running[spec.id] = _Job(spec, _worker(spec, pool), int(log.parent.name), log)


def _worker(spec: RunSpec, pool: _Pool) -> subprocess.Popen[bytes]:
    path, each = pool.store.write_spec(spec), pool.each
    command = [sys.executable, "-m", "benchmark.worker", str(path), "--store", str(pool.store.root)]
    command += ["--threads", str(each.threads), "--workers", str(each.workers)]
    # a session of its own, so that Ctrl-C reaches this process alone, which then ends the others in order
    return subprocess.Popen(command, env=_environment(each.threads), stdin=subprocess.DEVNULL, start_new_session=True)


def _environment(count: int) -> dict[str, str]:
    """So many threads for every numerical library; and this package, also where it is not installed."""
    root = Path(__file__).resolve().parent.parent
    threads = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(count))
    found = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    path = found if root.name in ("site-packages", "dist-packages") else [*found, str(root)]
    return os.environ | threads | ({"PYTHONPATH": os.pathsep.join(path)} if path else {})


def _collect(pool: _Pool) -> None:
    for run_id, job in list(pool.running.items()):
        code = job.process.poll()
        if code is not None:
            del pool.running[run_id]
            pool.outcomes[run_id] = _outcome(job, pool.store, code=code, threads=pool.each.threads)


def _outcome(job: _Job, store: Store, *, code: int, threads: int) -> Outcome:
    """What a process left; where it left no record, one is written in its stead."""
    run_id = job.spec.id
    try:
        if code == _BUSY:
            return Outcome("elsewhere")
        with holding(store.folder(run_id)):
            if not _has_left_record(job, store):
                _record_death(job, store, code=code, threads=threads)
        record = store.record(run_id)
    except Busy:
        return Outcome("elsewhere")
    except (OSError, ValueError) as error:
        return Outcome("failed", f"{how_it_ended(code)}; its record is lost: {error}")
    return Outcome(record.state, record.failure.message if record.failure else "")


def _has_left_record(job: _Job, store: Store) -> bool:
    """Whether there is a record, and not that of an attempt before this one."""
    return (store.folder(job.spec.id) / "record.json").exists() and store.record(job.spec.id).attempts >= job.number


def _record_death(job: _Job, store: Store, *, code: int, threads: int) -> None:
    from benchmark.environment import describe_environment

    if len(store.attempts(job.spec.id)) < job.number:
        store.begin_attempt(job.spec)
    record = RunRecord(
        spec=job.spec,
        environment=describe_environment().model_copy(update={"threads": threads}),
        state="failed",
        failure=Failure(kind=_kind(code), message=how_it_ended(code), log_tail=last_lines(job.log, LOG_LINES)),
        attempts=job.number,
        started=store.attempts(job.spec.id)[-1].started,
        finished=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    store.save_failure(record)


def how_it_ended(code: int) -> str:
    """One line on a process that ended without a record."""
    if code == _TOLD:
        return "the process was told to end, by SIGTERM or SIGINT from outside; what it had saved is kept"
    if code >= 0:
        return f"the process ended with exit code {code} and left no record"
    hint = ": killed from outside, or for want of memory" if -code == signal.SIGKILL else ""
    return f"the process was ended by signal {-code}{hint}"


def _kind(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"


def _own_heartbeat(store: Store, job: _Job) -> dict[str, Any] | None:
    """The last heartbeat, unless it is that of an earlier attempt."""
    beat = store.last_heartbeat(job.spec.id)
    return beat if beat is not None and beat.get("pid") == job.process.pid else None


@contextmanager
def _told_to_end_is_interrupted() -> Iterator[None]:
    """SIGTERM and SIGHUP act like Ctrl-C meanwhile; nothing changes outside the main thread."""

    def interrupt(_signal: int, _frame: FrameType | None) -> None:
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
