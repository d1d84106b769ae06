"""Locks of folders, so that one process at a time works on a run.

A lock is a file that names its owner. It is made with O_EXCL, which also holds on network file systems. The lock of a
dead process of this host is taken over. The lock of another host is respected as long as its run sends heartbeats. The
lock of an earlier start of the same job is taken over in any case, because the scheduler has given that start up.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmark.utils.atomic_files import UNSUPPORTED, UNWRITTEN_S, open_draft
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.processes import is_process_alive, read_start_time

MAX_SILENCE_S = 900
"""Seconds without a heartbeat after which the lock of another host counts as abandoned."""
SETTLING_S = 0.5
"""Seconds after which a taken-over lock is read again on file systems that cannot lock the folder."""
JOB_VARIABLE = "CHIMERA_BENCH_JOB"
"""Environment variable with the job that a process belongs to: a `Job` as JSON."""


class BusyError(Exception):
    """Another process works on this run; the message names it."""


class Job(FrozenModel):
    """A scheduler's job that a process belongs to.

    Attributes:
        id: Id of the job, the same for all its starts.
        restart: Number of restarts; the scheduler has given up all processes of earlier starts.
        node: Name of the node, as the scheduler writes it.
    """

    id: str
    restart: int = 0
    node: str = ""

    def replaces(self, other: Job | None) -> bool:
        """Return whether the other one is an earlier start of the same job."""
        return other is not None and self.id == other.id and self.restart > other.restart


class Owner(FrozenModel):
    """Owner of a lock.

    Attributes:
        pid: Id of the process.
        host: Name of its host.
        born: Start time of the process in ticks of the system, to tell reused process ids apart; empty if unknown.
        job: Job that the process belongs to; None outside of jobs.
    """

    pid: int
    host: str
    born: str = ""
    job: Job | None = None

    @property
    def is_here(self) -> bool:
        """Whether the owner is or was a process of this host."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether a process of this host is still the one that made the lock."""
        return is_process_alive(self.pid, born=self.born)


def identify_this_process() -> Owner:
    """Return this process as the owner of its locks, with its job."""
    job = Job.model_validate_json(os.environ[JOB_VARIABLE]) if os.environ.get(JOB_VARIABLE) else None
    return identify_process(os.getpid()).model_copy(update={"job": job})


def identify_process(pid: int) -> Owner:
    """Return a process of this host as an owner, which can tell later whether the same process is still alive."""
    return Owner(pid=pid, host=socket.gethostname(), born=read_start_time(pid))


@contextmanager
def hold_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder.

    Raises:
        BusyError: Another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    me = identify_this_process()
    _acquire(folder / "lock", me)
    try:
        yield
    finally:
        if _read_owner(folder / "lock") == me:
            (folder / "lock").unlink()


def release_lock(folder: Path) -> None:
    """Remove the lock of an owner that is known to be gone; if the owner is alive after all, it will be superseded."""
    (folder / "lock").unlink(missing_ok=True)


def find_owner(folder: Path) -> Owner | None:
    """Return the owner of a folder's lock; None if it is free. Changes nothing."""
    owner = _read_owner(folder / "lock")
    return owner if owner is not None and _is_held(owner, folder) else None


def _acquire(lock: Path, me: Owner) -> None:
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        _take_over(lock, me)
        return
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(me.canonical())
    except OSError as error:
        with suppress(OSError):
            lock.unlink()  # on a full disk: an empty lock would keep others waiting
        raise OSError(error.errno, f"cannot write {lock}: {error.strerror or error}") from error


def _take_over(lock: Path, me: Owner) -> None:
    """Replace an abandoned lock; processes that try at once wait for each other at the folder."""
    folder = os.open(lock.parent, os.O_RDONLY)
    try:
        is_exclusive = _lock_folder(folder)
        owner = find_owner(lock.parent)
        if owner is not None and not (me.job is not None and me.job.replaces(owner.job)):
            raise BusyError(f"process {owner.pid} on {owner.host} works on {lock.parent.name}")
        if _read_owner(lock) is None and lock.exists() and abs(time.time() - lock.stat().st_mtime) < UNWRITTEN_S:
            raise BusyError(f"another process just started on {lock.parent.name}")
        with open_draft(lock) as draft:
            draft.write_text(me.canonical(), encoding="utf-8")
    finally:
        os.close(folder)
    if not is_exclusive:
        time.sleep(SETTLING_S)  # of several processes the last one to write has the lock, and all can see it by now
        if _read_owner(lock) != me:
            raise BusyError(f"another process just started on {lock.parent.name}")


def _lock_folder(descriptor: int) -> bool:
    """Wait for the exclusive lock of a folder; False if its file system has no locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
        return False
    return True


def _is_held(owner: Owner, folder: Path) -> bool:
    if owner.is_here:
        return owner.is_alive
    signs = [path.stat().st_mtime for path in (folder / "lock", folder / "heartbeat.json") if path.exists()]
    return time.time() - max(signs, default=0.0) < MAX_SILENCE_S


def _read_owner(lock: Path) -> Owner | None:
    """Read the owner that a lock names; None if there is no lock or its content was never written."""
    try:
        return Owner.model_validate(json.loads(lock.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None
