"""Processors of this process, and processes of this host as Linux's /proc shows them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def count_cores() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_start_time(pid: int) -> str:
    """Read the start time of a process in ticks since boot.

    Returns:
        "ended" for a process that only waits to be reaped; empty for a process that does not exist, and on systems
        without /proc.
    """
    fields = _read_stat(pid)
    if not fields:
        return ""
    return "ended" if fields[0] == "Z" else fields[19]


def is_process_alive(pid: int, *, born: str) -> bool:
    """Return whether a process of this host is still the one that had the id before.

    Args:
        pid: Id of the process.
        born: Start time of the process, as `read_start_time` returned it; empty if unknown.
    """
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not born or read_start_time(pid) == born


def measure_cpu_s(pids: Iterable[int]) -> float | None:
    """Return the processor time of processes in seconds; None if it cannot be read for any of them."""
    times = [fields for pid in pids if (fields := _read_stat(pid))]
    ticks = sum(int(fields[11]) + int(fields[12]) for fields in times)
    return ticks / os.sysconf("SC_CLK_TCK") if times else None


def _read_stat(pid: int) -> list[str]:
    """Read the fields of /proc/PID/stat from the state on; empty if there is no such file."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return []
    return stat.rpartition(")")[2].split()
