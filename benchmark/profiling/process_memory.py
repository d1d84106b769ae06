"""How much memory this process holds, and the most that it ever held."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def memory_mb() -> float:
    """The resident set of this process in MB; where the system does not tell, the largest that it ever was."""
    return _status_mb("VmRSS")


def peak_memory_mb() -> float:
    """Largest resident set of this process in MB."""
    return _status_mb("VmHWM")


def _status_mb(field: str) -> float:
    try:
        # not getrusage on Linux: there a child begins with the peak of the process that started it
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{field}:")) / 1024
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
