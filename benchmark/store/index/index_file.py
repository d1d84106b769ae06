"""Files of the index: whole or absent for a reader, and never needed.

A file is replaced in one step, so that of several writers the last one wins. It begins with the SHA-256 of its seal and
its content: a file that is cut short, or was written by another version of the package, by another user or under other
groups, does not match and is treated as absent. So is a file that another user owns. A store that is read-only or full
works without.
"""

from __future__ import annotations

import hashlib
import os
import platform
import re
import zlib
from contextlib import suppress
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmark.utils.atomic_files import open_draft
from benchmark.utils.paths import ROOT

FOLDER = "index"
"""Folder of the index below that of the runs."""
_NAME = re.compile(r"runs-\d+|report-[0-9a-f]{32}-\d+")
FORMAT = 1
"""Version of the files; those of another version are ignored."""
SOURCES = ("benchmark", "methods", "results", "slurm", "splits")
SUFFIXES = (".css", ".csv", ".j2", ".js", ".json", ".py", ".safetensors", ".template", ".txt", ".yaml", ".yml")
PACKAGES = ("fonttools", "jinja2", "matplotlib", "numpy", "pandas", "pydantic", "scipy", "seaborn")
"""Packages that compute, draw or format what is indexed."""


def get_user_name() -> str:
    """Return the part of a file's name that tells whose it is: what one user may read, another may not."""
    return str(os.geteuid())


def is_index_file(path: Path) -> bool:
    """Return whether a path has the name of a file of the index, of any user, and is no link."""
    return _NAME.fullmatch(path.name) is not None and path.is_file() and not path.is_symlink()


def read_index_file(path: Path) -> str | None:
    """Read a file of the index; None if there is no whole one of this version and this user."""
    _make_seal()  # of the code that runs now, even if there is no file: what is written later was made by this code
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_uid != os.geteuid():
                return None
            checksum, _, packed = file.read().partition(b"\n")
        return zlib.decompress(packed).decode("ascii") if checksum == _make_checksum(packed) else None
    except (OSError, ValueError, zlib.error):
        return None


def write_index_file(path: Path, text: str, *, max_bytes: int) -> None:
    """Write a file of the index, or nothing if that is not possible or if the file would be too large.

    Args:
        path: Path of the file.
        text: ASCII text, which is compressed.
        max_bytes: Largest size of the file.
    """
    packed = zlib.compress(text.encode("ascii"), level=1)
    content = _make_checksum(packed) + b"\n" + packed
    if len(content) > max_bytes:
        return
    with suppress(OSError), open_draft(path) as draft:
        draft.write_bytes(content)


def _make_checksum(packed: bytes) -> bytes:
    return hashlib.sha256(_make_seal().encode() + packed).hexdigest().encode()


@cache
def _make_seal() -> str:
    """Return a text that changes with anything but the store that the index depends on."""
    user = f"{os.geteuid()} {sorted(os.getgroups())}"
    versions = " ".join(f"{name} {_find_version(name)}" for name in PACKAGES)
    return f"{FORMAT} {user} {platform.python_version()} {versions} {digest_sources()}"


@cache
def digest_sources(root: Path = ROOT) -> str:
    """Return the SHA-256 over names and contents of all files that a state, a score or a table may depend on."""
    digest = hashlib.sha256()
    for path in sorted(_list_sources(root)):
        with open(path, "rb") as file:
            content = hashlib.sha256(file.read()).hexdigest()
        digest.update(f"{os.path.relpath(path, root)} {content}\n".encode())
    return digest.hexdigest()


def _list_sources(root: Path) -> list[str]:
    return [
        os.path.join(folder, name)
        for source in SOURCES
        for folder, _, names in os.walk(root / source)
        for name in names
        if name.endswith(SUFFIXES)
    ]


def _find_version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
