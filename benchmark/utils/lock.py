"""One process at a time works on a run: a lock file that names its owner and outlives nobody.

Made with O_EXCL, which also holds on network file systems. A lock whose owner died on this host is taken over; one of
another host is believed for as long as its run gives signs of life; one of an earlier start of the same job is taken
over whether its owner lives or not, as the scheduler gave that start up.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.utils.atomic_files import open_draft
from benchmark.utils.frozen_model import FrozenModel

SILENT_S = 900
"""A lock of another host counts as abandoned after so many seconds without a heartbeat."""
JOB = "CHIMERA_BENCH_JOB"
"""The variable in which a launcher tells its processes to which job they belong: a `Job` as JSON."""


class BusyError(Exception):
    """Another process works on this run; the message names it."""


class Job(FrozenModel):
    """The job of a cluster's scheduler that a process belongs to.

    Attributes:
        id: the same however often the job is started again.
        restart: how often it was; the scheduler has given up every process of an earlier start.
        node: where it runs, as the scheduler calls it.
    """

    id: str
    restart: int = 0
    node: str = ""

    def replaces(self, other: Job | None) -> bool:
        """Whether the other is an earlier start of the same job."""
        return other is not None and self.id == other.id and self.restart > other.restart


class Owner(FrozenModel):
    """Who holds a lock.

    Attributes:
        pid, host: of the process.
        born: its start time in the system's ticks, against reused process numbers; empty where unknown.
        job: None outside of a cluster's job.
    """

    pid: int
    host: str
    born: str = ""
    job: Job | None = None

    @property
    def is_here(self) -> bool:
        """Whether it is, or was, a process of this machine."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether a process of this machine is still the one that made the lock."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return not self.born or _born(self.pid) == self.born


def this_process() -> Owner:
    """The owner that this process writes into its locks."""
    job = Job.model_validate_json(os.environ[JOB]) if os.environ.get(JOB) else None
    return process(os.getpid()).model_copy(update={"job": job})


def process(pid: int) -> Owner:
    """A process of this machine, as an owner; tells later whether it is still the same one that lives."""
    return Owner(pid=pid, host=socket.gethostname(), born=_born(pid))


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder.

    Raises:
        BusyError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    me = this_process()
    _take(folder / "lock", me)
    try:
        yield
    finally:
        if _read(folder / "lock") == me:
            (folder / "lock").unlink()


def release(folder: Path) -> None:
    """Take away the lock of an owner that is known to be gone; one that lives on after all will be superseded."""
    (folder / "lock").unlink(missing_ok=True)


def owner(folder: Path) -> Owner | None:
    """Who works on the run in this folder, or None; only looks."""
    held = _read(folder / "lock")
    return held if held is not None and _holds(held, folder) else None


def _take(lock: Path, me: Owner) -> None:
    try:
        descriptor = os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        _take_over(lock, me)
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(me.canonical())


def _take_over(lock: Path, me: Owner) -> None:
    """Replace an abandoned lock. Takers queue up at the folder, so that one of them finds it abandoned."""
    folder = os.open(lock.parent, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        held = owner(lock.parent)
        if held is not None and not (me.job is not None and me.job.replaces(held.job)):
            raise BusyError(f"process {held.pid} on {held.host} works on {lock.parent.name}")
        if _read(lock) is None and lock.exists() and time.time() - lock.stat().st_mtime < 5:
            raise BusyError(f"another process just started on {lock.parent.name}")
        with open_draft(lock) as draft:
            draft.write_text(me.canonical(), encoding="utf-8")
    finally:
        os.close(folder)


def _holds(held: Owner, folder: Path) -> bool:
    if held.is_here:
        return held.is_alive
    signs = [path.stat().st_mtime for path in (folder / "lock", folder / "heartbeat.json") if path.exists()]
    return time.time() - max(signs, default=0.0) < SILENT_S


def _read(lock: Path) -> Owner | None:
    """The owner a lock names; None where there is no lock or it was never written out."""
    try:
        return Owner.model_validate(json.loads(lock.read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError):
        return None


def _born(pid: int) -> str:
    """Start time of a process in ticks since boot, from Linux's /proc; "ended" for one that only waits to be reaped.

    Empty on systems without /proc.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[0] == "Z" else fields[19]
