"""Current and peak memory of this process."""

from __future__ import annotations

import resource
import sys
from contextlib import suppress
from pathlib import Path


def get_memory_mb() -> float:
    """Return the resident memory of this process in MB; its peak if the system does not report current values."""
    return _read_status_mb("VmRSS")


def get_peak_memory_mb() -> float:
    """Return the peak resident memory of this process in MB."""
    return _read_status_mb("VmHWM")


def reset_peak_memory() -> None:
    """Let the peak memory of this process begin at its current memory, if the system can do so."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def _read_status_mb(field: str) -> float:
    try:
        # not getrusage: on Linux, a child process starts with the peak of its parent
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) / 1024
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
