"""The attempts at a run: numbered starts, of which only the latest may write.

The number is a fencing token: a process that survives after its machine was given up finds a later attempt and is
refused. The attempts also show progress: an attempt that begins from the same checkpoint as the one before it shows
that the earlier one saved nothing new.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from benchmark.utils.atomic_files import has_content, read_value
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.lock import Owner


class SupersededError(Exception):
    """A later attempt at the same run has begun, so this one must not write any more; the message names both."""


class Attempt(FrozenModel):
    """One start of a run.

    Attributes:
        number: Number of the attempt, from 1.
        started: Time of the start in UTC, ISO 8601.
        owner: Process that made the attempt.
        code: Digest of the package's source at the start; empty if unknown.
        checkpoint: Fingerprint of the checkpoint and the partial counts that it began from, see `fingerprint_progress`.
    """

    number: int
    started: str
    owner: Owner
    code: str = ""
    checkpoint: str = ""


def get_attempt_folder(run: Path, number: int) -> Path:
    """Return the folder of an attempt.

    Args:
        run: Folder of the run.
        number: Number of the attempt.
    """
    return run / "attempts" / f"{number:02d}"


def read_attempts(run: Path) -> list[Attempt]:
    """Read all attempts in the folder of a run, oldest first; an empty file is of a process that died making it.

    Raises:
        ValueError: A file is broken or cannot be read; the message names it.
        OSError: The folder cannot be read.
    """
    paths = [get_attempt_folder(run, number) / "attempt.json" for number in sorted(list_attempt_numbers(run))]
    return [read_value(Attempt, path) for path in paths if has_content(path)]


def list_attempt_numbers(run: Path) -> list[int]:
    """Return the numbers of the attempts that have a folder in the folder of a run, in no order.

    Raises:
        OSError: The folder cannot be read.
    """
    try:
        return [int(name) for name in os.listdir(run / "attempts") if name.isdecimal()]
    except FileNotFoundError:
        return []


def has_attempt(run: Path) -> bool:
    """Return whether an attempt has begun in the folder of a run; its log is opened before that, by another process.

    Raises:
        OSError: The folder cannot be read.
    """
    return any(has_content(get_attempt_folder(run, number) / "attempt.json") for number in list_attempt_numbers(run))


def is_latest(run: Path, number: int) -> bool:
    """Return whether no later attempt has begun in the folder of a run."""
    return not (get_attempt_folder(run, number + 1) / "attempt.json").exists()


def fingerprint_progress(checkpoint: Path, partial: Path) -> str:
    """Return a text that changes with what a run has saved, without reading files; empty if it has saved nothing.

    Args:
        checkpoint: Path of the checkpoint.
        partial: Folder of the counts of an unfinished evaluation.
    """
    counts = sorted(path for path in partial.glob("*") if not path.name.startswith("."))
    return "+".join(filter(None, map(_fingerprint, [checkpoint, *counts])))


def _fingerprint(path: Path) -> str:
    try:
        status = path.stat()
    except FileNotFoundError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}"


def count_stalls(attempts: Sequence[Attempt], *, checkpoint: str) -> int:
    """Count the latest attempts in a row that saved nothing new.

    Args:
        attempts: Attempts that have ended, oldest first.
        checkpoint: Fingerprint of what is saved now.
    """
    count = 0
    for attempt in reversed(attempts):
        if attempt.checkpoint != checkpoint:
            break
        count += 1
    return count
