"""Archives of run folders (tar, tar.gz, zip), unpacked so that nothing can land outside of the folder.

Only regular files are taken, with relative paths that do not climb; links, devices and absolute paths are refused, and
so is an archive that is cut short. Nothing in an archive is executed.
"""

from __future__ import annotations

import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from benchmark.store.store import Store

_READING_ERRORS = (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, OSError)


class _Member(NamedTuple):
    """A file in an archive."""

    name: str
    content: IO[bytes]


def is_archive(path: Path) -> bool:
    """Return whether a path is that of an archive that `unpack_archive` reads."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def unpack_archive(path: Path, folder: Path) -> Path:
    """Unpack an archive and return the folder in it that holds the runs.

    Args:
        path: Archive.
        folder: Folder to unpack into; it does not exist yet.

    Raises:
        ValueError: The archive is broken, holds no runs, or something that does not belong into one; the message names
            it.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True)
    with _open_members(path) as members:
        for member in members:
            target = folder / _check_name(member.name, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as file:
                shutil.copyfileobj(member.content, file)
    return _find_store(folder, path)


@contextmanager
def _open_members(path: Path) -> Iterator[Iterator[_Member]]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield _list_zip(archive, path)
        else:
            with tarfile.open(path) as tar:
                yield _list_tar(tar, path)
    except _READING_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} is broken ({reason}): copy it again") from error


def _list_tar(tar: tarfile.TarFile, path: Path) -> Iterator[_Member]:
    for member in tar:
        if member.isdir():
            continue
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise ValueError(f"{path} holds {member.name}, which is no plain file: nothing was merged")
        yield _Member(member.name, content)


def _list_zip(archive: zipfile.ZipFile, path: Path) -> Iterator[_Member]:
    for info in archive.infolist():
        if info.is_dir():
            continue
        if info.external_attr >> 28 not in (0, 8):  # type of the file in Unix modes: none or regular
            raise ValueError(f"{path} holds {info.filename}, which is no plain file: nothing was merged")
        with archive.open(info) as content:
            yield _Member(info.filename, content)


def _check_name(name: str, path: Path) -> PurePosixPath:
    """Return the name of a file in an archive if it stays within the folder."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or "\0" in name or not pure.parts:
        raise ValueError(f"{path} holds the path {name!r}, which leads out of it: nothing was merged")
    return pure


def _find_store(folder: Path, path: Path) -> Path:
    """Return the folder with the runs: the top of the archive, or its only folder."""
    candidates = [folder, *(entry for entry in sorted(folder.iterdir()) if entry.is_dir())]
    for candidate in candidates:
        if Store(candidate).list_ids() or Store(candidate).list_plans():
            return candidate
    raise ValueError(f"{path} holds no runs: expected folders of runs, as chimera-bench archive packs them")
