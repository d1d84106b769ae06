"""Digests of files that configs name: the content of a file, not its path, is part of a run's identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any


def add_digest(fields: Any, field: str, *, into: str = "sha256") -> Any:
    """Add the SHA-256 of the file that a config field names; for validators with mode "before".

    Args:
        fields: Fields of a config as given by the user or by a plan; returned unchanged if they name no file.
        field: Name of the field that may hold a path.
        into: Name of the field that receives the digest.

    Returns:
        The fields with the digest.

    Raises:
        ValueError: The fields come from a plan, and the file has changed since.
    """
    if not isinstance(fields, Mapping) or not isinstance(fields.get(field), str):
        return fields
    path = Path(fields[field]).expanduser()
    if not path.is_file():
        return fields
    digest = hash_file(path)
    if fields.get(into, "") not in ("", digest):
        raise ValueError(f"{path} has changed since this run was planned: plan it again")
    return {**fields, into: digest}


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hex; a file is read once per process unless its size or time changes."""
    stat = path.stat()
    return _hash_unchanged_file(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _hash_unchanged_file(path: Path, _size: int, _time_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
