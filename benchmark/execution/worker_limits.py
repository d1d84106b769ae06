"""Limits of this machine that data-loading workers and worker processes meet."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

MAX_SOCKET_PATH = 107
"""Number of characters that the path of a socket may have on Linux."""
SOCKET_NAME = "/pymp-xxxxxxxx/listener-xxxxxxxx"
"""Form of the names that `multiprocessing` gives its sockets below $TMPDIR."""
MIN_OPEN_FILES, MIN_SHARED_MB = 1024, 64
SHARED_MEMORY = Path("/dev/shm")


def list_worker_limits() -> Iterator[str]:
    """Yield one line about each limit that is too low, with its effect and what to do."""
    yield from _check_temporary_folder()
    yield from _check_shared_memory()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files != resource.RLIM_INFINITY and files < MIN_OPEN_FILES:
        yield (
            f"{files} open files allowed (ulimit -n): if data-loading workers cannot be started, each run reads its "
            f"images itself; allow {MIN_OPEN_FILES}"
        )


def _check_temporary_folder() -> Iterator[str]:
    try:
        folder = tempfile.gettempdir()
    except OSError:
        yield "no folder for temporary files can be written to: set TMPDIR to one"
        return
    if len(os.fsencode(folder + SOCKET_NAME)) > MAX_SOCKET_PATH:
        yield (
            f"TMPDIR has {len(folder)} characters, too many for sockets: cluster jobs start each run in a fresh "
            f"process, which takes seconds; set TMPDIR to a path of up to {MAX_SOCKET_PATH - len(SOCKET_NAME)}"
        )


def _check_shared_memory() -> Iterator[str]:
    try:
        multiprocessing.Lock()
    except OSError as error:
        yield (
            f"semaphores cannot be made in {SHARED_MEMORY} ({error.strerror}): data-loading workers cannot be started, "
            "and each run reads its images itself"
        )
        return
    if SHARED_MEMORY.is_dir():
        size = shutil.disk_usage(SHARED_MEMORY).total // 2**20
        if size < MIN_SHARED_MB:
            yield f"{SHARED_MEMORY} holds {size} MB, which may be too small for NCCL; allow {MIN_SHARED_MB} MB"
