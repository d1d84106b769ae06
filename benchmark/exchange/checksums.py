"""Checksums of the files in an archive, in the format of `sha256sum`: they are verified before anything is read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

CHECKSUMS = "SHA256SUMS"
"""Name of the file at the top of an archive; it lists all files but itself."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
SHOWN = 2
"""Number of files that a message names."""


def format_checksums(entries: Mapping[str, Path | bytes]) -> bytes:
    """Return the checksums of files, or of their contents, by their names in the archive, sorted."""
    lines = [f"{_hash(entries[name])}  {name}\n" for name in sorted(entries)]
    return "".join(lines).encode()


def verify_checksums(folder: Path, archive: Path) -> None:
    """Check that a folder holds the files that its checksums list, and no others.

    Args:
        folder: Folder that an archive was unpacked into.
        archive: Path of the archive, for the message.

    Raises:
        ValueError: A file is missing, was changed or is not listed, or there are no checksums; the message names it.
        OSError: A file cannot be read.
    """
    expected = _read_checksums(folder / CHECKSUMS, archive)
    found = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    del found[CHECKSUMS]
    problems = {
        "lacks": sorted(expected.keys() - found.keys()),
        f"holds files that its {CHECKSUMS} does not list,": sorted(found.keys() - expected.keys()),
        f"holds other content than its {CHECKSUMS} says in": sorted(
            name for name, path in found.items() if expected.get(name, "") not in ("", _hash(path))
        ),
    }
    for problem, names in problems.items():
        if names:
            more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
            raise ValueError(f"{archive} {problem} {', '.join(names[:SHOWN])}{more}: copy it again; nothing was merged")


def _read_checksums(path: Path, archive: Path) -> dict[str, str]:
    """Read the checksums by name of the file."""
    if not path.is_file():
        raise ValueError(
            f"{archive} has no {CHECKSUMS}, so it is no archive of results, as export writes them; runs that `archive` "
            f"packed are taken in by `merge`"
        )
    try:
        lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except UnicodeDecodeError:
        lines = ["?"]
    matches = [_LINE.fullmatch(line) for line in lines]
    checksums = {match[2]: match[1] for match in matches if match is not None}
    if len(checksums) != len(lines):
        raise ValueError(f"{archive} holds a broken {CHECKSUMS}: copy it again; nothing was merged")
    return checksums


def _hash(source: Path | bytes) -> str:
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()
    with source.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
