"""Archives of results that are changed on purpose."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path

from benchmark.exchange.checksums import CHECKSUMS, format_checksums
from benchmark.store.archive import write_entries

Members = dict[str, bytes]


def read_members(archive: Path) -> Members:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def change(archive: Path, edit: Callable[[Members], None], *, seals: bool = True) -> Path:
    """Return an archive next to another one with edited members, with right checksums if it `seals`."""
    members = read_members(archive)
    edit(members)
    if seals:
        members.pop(CHECKSUMS, None)
        members[CHECKSUMS] = format_checksums(members)
    path = archive.with_name(f"changed-{hashlib.sha256(repr(sorted(members)).encode()).hexdigest()[:8]}.zip")
    path.unlink(missing_ok=True)
    write_entries(path, members)
    return path


def find_member(members: Members, end: str) -> str:
    return next(name for name in sorted(members) if name.endswith(end))
