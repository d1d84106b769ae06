"""The attempts at a run: numbered starts, of which only the latest may write.

The number is the fencing token: a process that lives on after its machine was given up finds a later attempt beside its
own and is refused. It also tells progress: an attempt that begins from the same checkpoint as the one before it shows
that the one before it came no further.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmark.utils.atomic_files import read_value
from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.lock import Owner


class Superseded(Exception):
    """A later attempt at the same run has begun; this one must not write any more. The message names both."""


class Attempt(FrozenModel):
    """One start of a run.

    Attributes:
        number: from 1.
        started: UTC, ISO 8601.
        owner: the process that made it.
        code: digest of the package's source at that time; empty where the caller did not say.
        checkpoint: what it began from, as `mark_of` names it.
    """

    number: int
    started: str
    owner: Owner
    code: str = ""
    checkpoint: str = ""


def attempt_folder(run: Path, number: int) -> Path:
    """Where an attempt at the run in a folder lies."""
    return run / "attempts" / f"{number:02d}"


def read_attempts(run: Path) -> list[Attempt]:
    """Every attempt, the first first. Raises ValueError naming the file where one is broken."""
    paths = sorted(run.glob("attempts/*/attempt.json"), key=lambda path: int(path.parent.name))
    return [read_value(Attempt, path) for path in paths]


def is_latest(run: Path, number: int) -> bool:
    """Whether no later attempt has begun."""
    return not (attempt_folder(run, number + 1) / "attempt.json").exists()


def mark_of(checkpoint: Path) -> str:
    """A name of a checkpoint's present content, without reading it; empty where there is none."""
    try:
        status = checkpoint.stat()
    except FileNotFoundError:
        return ""
    return f"{status.st_mtime_ns}-{status.st_size}"


def stalls(attempts: Sequence[Attempt], *, checkpoint: str) -> int:
    """How many of the latest attempts in a row brought a run no further than the present checkpoint.

    Args:
        attempts: ended ones, the first first.
        checkpoint: mark of the present one.
    """
    count = 0
    for attempt in reversed(attempts):
        if attempt.checkpoint != checkpoint:
            break
        count += 1
    return count
