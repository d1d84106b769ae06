"""Processes as /proc shows them: which run, what they carry, what they hold open."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_POLL_S = 0.05
_GONE_S = 5.0


def until(holds: Callable[[], bool], *, timeout_s: float) -> bool:
    """Wait until something holds; whether it did in time."""
    deadline = time.monotonic() + timeout_s
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def is_alive(pid: int) -> bool:
    """Whether a process runs; one that ended and waits for its parent to notice does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return False
    return state not in ("", "Z", "X")


def name(pid: int) -> str:
    """The program's name, of at most 15 letters; empty where the process is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def variables(pid: int) -> dict[str, str]:
    """The environment with which a process began; empty where it is gone or somebody else's."""
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def carries(pid: int, wanted: Mapping[str, str]) -> bool:
    """Whether a process runs and began with all the wanted variables."""
    return wanted.items() <= variables(pid).items() and is_alive(pid)


def carrying(wanted: Mapping[str, str]) -> list[int]:
    """Every process but this one that carries all the wanted variables, in order."""
    return [pid for pid in _others() if carries(pid, wanted)]


def holding(file: Path, *, program: str) -> list[int]:
    """Every process of a program that has a file open, in order."""
    return [pid for pid in _others() if name(pid) == program and file in _open_files(pid)]


def end(pids: Iterable[int], *, timeout_s: float) -> None:
    """Tell processes to end, and kill those that have not in time."""
    told = list(pids)
    _send(signal.SIGTERM, told)
    if not until(lambda: not any(map(is_alive, told)), timeout_s=timeout_s):
        kill(told)


def kill(pids: Iterable[int]) -> None:
    """Kill processes, and wait until they are gone."""
    doomed = list(pids)
    _send(signal.SIGKILL, doomed)
    until(lambda: not any(map(is_alive, doomed)), timeout_s=_GONE_S)


def _others() -> list[int]:
    pids = sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [pid for pid in pids if pid != os.getpid()]


def _open_files(pid: int) -> set[Path]:
    try:
        return {entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def _send(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
