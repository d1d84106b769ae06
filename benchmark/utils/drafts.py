"""Drafts of files that are renamed when they are complete; a killed process leaves its drafts behind.

The name of a draft tells which process writes it, so that drafts of processes that have ended can be deleted, and none
of a live process ever is: `.draft-<host>-<process id>-<start time>-<random>-<name of the file>`. Files with other names
are of other programs, and never count as abandoned.
"""

from __future__ import annotations

import hashlib
import os
import re
import socket
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from benchmark.utils.processes import is_process_alive, read_start_time

PREFIX = ".draft-"
MAX_SILENCE_S = 3600.0
"""Age after which a draft of another host counts as abandoned."""
MAX_NAME_LENGTH = 160
"""Number of last characters of a file's name that its draft keeps."""

_OWNER = re.compile(r"\.draft-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-(?P<born>\d*)-[0-9a-f]{8}-.+")


def make_draft_path(path: Path) -> Path:
    """Return a new path for a draft of a file, in the same folder and with the same suffix."""
    owner = f"{_digest_host()}-{os.getpid()}-{read_start_time(os.getpid())}"
    return path.with_name(f"{PREFIX}{owner}-{uuid.uuid4().hex[:8]}-{path.name[-MAX_NAME_LENGTH:]}")


def is_draft(path: Path) -> bool:
    """Return whether a path has the name of a draft."""
    return _OWNER.fullmatch(path.name) is not None


def has_live_writer(draft: Path) -> bool | None:
    """Return whether the process that writes a draft is alive; None if it is of another host."""
    owner = _OWNER.fullmatch(draft.name)
    if owner is None or owner["host"] != _digest_host():
        return None
    return is_process_alive(int(owner["pid"]), born=owner["born"])


def is_abandoned(draft: Path) -> bool:
    """Return whether no live process writes a draft; False if there is no such file, or if it is no draft."""
    if not is_draft(draft):
        return False
    is_live = has_live_writer(draft)
    if is_live is not None:
        return not is_live
    try:
        return time.time() - draft.stat().st_mtime > MAX_SILENCE_S
    except OSError:
        return False


def list_abandoned_drafts(folder: Path) -> Iterator[Path]:
    """Yield the drafts in a folder and below that no live process writes, sorted."""
    return (path for path in sorted(folder.rglob(f"{PREFIX}*")) if is_abandoned(path))


def sweep_drafts(folder: Path) -> int:
    """Delete the drafts in a folder and below that no live process writes, and return their size in bytes.

    Drafts that cannot be deleted, as those of other users, stay.
    """
    size = 0
    for draft in list_abandoned_drafts(folder):
        try:
            size += draft.stat().st_size
            draft.unlink()
        except OSError:
            continue
    return size


@cache
def _digest_host() -> str:
    """Return 8 hex digits for this host and, within it, the container whose process ids this process sees."""
    try:
        namespace = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        namespace = 0
    return hashlib.sha256(f"{socket.gethostname()} {namespace}".encode()).hexdigest()[:8]
