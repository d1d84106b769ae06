"""Abilities of the file system that holds a store, found by trying them in a folder of its own."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def list_missing_abilities(folder: Path) -> list[str]:
    """Return what the file system of a folder cannot do and what follows from it, one line each.

    Args:
        folder: Existing folder that can be written to; what is tried leaves nothing behind.

    Raises:
        OSError: Nothing can be written to the folder.
    """
    trials: dict[str, Callable[[Path], None]] = {
        "no hard links ({}): new records are made in two steps instead of one": _link,
        "folders cannot be locked ({}): two processes that resume one run at once may both begin": _lock,
        "files cannot be synchronized to disk ({}): a crash of the machine may lose the last ones": _synchronize,
        "files cannot be replaced by renaming ({}): runs cannot be recorded here": _replace,
    }
    missing = []
    with tempfile.TemporaryDirectory(prefix=".trial-", dir=folder) as trial:
        (Path(trial) / "file").write_text("old", encoding="utf-8")
        for line, attempt in trials.items():
            try:
                attempt(Path(trial))
            except OSError as error:
                missing.append(line.format(error.strerror or error))
    return missing


def _link(folder: Path) -> None:
    os.link(folder / "file", folder / "link")


def _lock(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    finally:
        os.close(descriptor)


def _synchronize(folder: Path) -> None:
    descriptor = os.open(folder / "file", os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _replace(folder: Path) -> None:
    (folder / "new").write_text("new", encoding="utf-8")
    os.replace(folder / "new", folder / "file")
