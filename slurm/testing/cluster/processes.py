"""Processes as /proc shows them: whether they run, their environment, their open files."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

_POLL_S = 0.05
_KILL_TIMEOUT_S = 5.0


def wait_until(condition: Callable[[], bool], *, timeout_s: float) -> bool:
    """Wait until a condition holds.

    Returns:
        Whether the condition held before the timeout.
    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True


def is_alive(pid: int) -> bool:
    """Return whether a process runs; zombies do not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(") ")[2][:1]
    except OSError:
        return False
    return state not in ("", "Z", "X")


def read_program_name(pid: int) -> str:
    """Return the first 15 letters of the name of a process's program; empty if the process is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def read_environment(pid: int) -> dict[str, str]:
    """Read the initial environment of a process; empty if the process is gone or belongs to another user."""
    try:
        text = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.split("=", 1) for entry in text.split("\0") if "=" in entry)


def has_environment(pid: int, variables: Mapping[str, str]) -> bool:
    """Return whether a process runs and was started with all of these environment variables."""
    return variables.items() <= read_environment(pid).items() and is_alive(pid)


def find_by_environment(variables: Mapping[str, str]) -> list[int]:
    """Return all processes except this one that were started with these environment variables, in ascending order."""
    return [pid for pid in _list_other_pids() if has_environment(pid, variables)]


def find_by_open_file(file: Path, *, program: str) -> list[int]:
    """Return all processes of a program that have a file open, in ascending order."""
    return [pid for pid in _list_other_pids() if read_program_name(pid) == program and file in _list_open_files(pid)]


def terminate(pids: Iterable[int], *, timeout_s: float) -> None:
    """Send SIGTERM to processes and kill those that are still alive after the timeout."""
    pids = list(pids)
    _send_signal(signal.SIGTERM, pids)
    if not wait_until(lambda: not any(map(is_alive, pids)), timeout_s=timeout_s):
        kill(pids)


def kill(pids: Iterable[int]) -> None:
    """Kill processes and wait until they are gone."""
    pids = list(pids)
    _send_signal(signal.SIGKILL, pids)
    wait_until(lambda: not any(map(is_alive, pids)), timeout_s=_KILL_TIMEOUT_S)


def _list_other_pids() -> list[int]:
    pids = sorted(int(entry) for entry in os.listdir("/proc") if entry.isdigit())
    return [pid for pid in pids if pid != os.getpid()]


def _list_open_files(pid: int) -> set[Path]:
    try:
        return {entry.readlink() for entry in Path(f"/proc/{pid}/fd").iterdir()}
    except OSError:
        return set()


def _send_signal(number: signal.Signals, pids: Iterable[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
