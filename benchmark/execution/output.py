"""Output of a process, and of everything that it loads, in a file."""

from __future__ import annotations

import os
from pathlib import Path


def redirect_output(log: Path) -> None:
    """Append all output of this process, including output from outside Python, to a file.

    Raises:
        OSError: The file cannot be opened.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.close(descriptor)
