"""Files that a config names are part of a run by their content, not by their path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any


def with_digest(given: Any, field: str, *, into: str = "sha256") -> Any:
    """The fields of a config, with the SHA-256 of the file that one of them names; as they are where it names none.

    For a validator that runs before all others.

    Raises:
        ValueError: the fields come from a plan, and the file has another content since.
    """
    if not isinstance(given, Mapping) or not isinstance(given.get(field), str):
        return given
    path = Path(given[field]).expanduser()
    if not path.is_file():
        return given
    found = file_digest(path)
    if given.get(into, "") not in ("", found):
        raise ValueError(f"{path} has another content than when this run was planned: plan it again")
    return {**given, into: found}


def file_digest(path: Path) -> str:
    """SHA-256 hex of a file; read once a process as long as size and time stay."""
    facts = path.stat()
    return _digest(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=64)
def _digest(path: Path, _size: int, _time_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
