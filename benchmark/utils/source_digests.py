"""Digests of Python files that were computed once and for all: by the content of the file, so that none is ever stale.

What a file computes is read from its syntax tree, which takes milliseconds a file; the digest of its bytes takes
microseconds. The table of both is in the cache folder and may be deleted at any time. It is thrown away by another
version of Python or of the rule, and if it is broken. A folder that is not writable costs nothing but time.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from pathlib import Path

from benchmark.utils import source_files
from benchmark.utils.atomic_files import write_text
from benchmark.utils.paths import find_cache_folder

MAX_ENTRIES = 4096
"""Number of latest files that are remembered, about half a megabyte."""


def digest_files(paths: Iterable[Path]) -> dict[Path, str]:
    """Return the digest of each Python file, see `source_files.SourceFile`.

    Raises:
        OSError: A file cannot be read.
    """
    known = _read_table()
    size = len(known)
    digests: dict[Path, str] = {}
    for path in paths:
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        if content not in known:
            known[content] = source_files.read_source(path).digest
        digests[path] = known[content]
    if len(known) > size:
        _write_table(dict(list(known.items())[-MAX_ENTRIES:]))
    return digests


def _read_table() -> dict[str, str]:
    """Return the digests so far by SHA-256 of the content; empty if there is no whole table of this rule."""
    try:
        checksum, text = _find_path().read_text(encoding="ascii").split("\n", 1)
    except (OSError, ValueError):
        return {}
    if checksum != _make_checksum(text):
        return {}
    return dict(json.loads(text))


def _write_table(table: dict[str, str]) -> None:
    text = json.dumps(table)
    with suppress(OSError):
        write_text(_find_path(), f"{_make_checksum(text)}\n{text}")


def _find_path() -> Path:
    return find_cache_folder() / "source_digests"


def _make_checksum(text: str) -> str:
    return hashlib.sha256(f"{_identify_rule()}\n{text}".encode()).hexdigest()


@cache
def _identify_rule() -> str:
    """Return a text that changes with anything but the content of a file that its digest depends on."""
    rule = hashlib.sha256(Path(source_files.__file__).read_bytes()).hexdigest()
    return f"{platform.python_version()} {rule}"
