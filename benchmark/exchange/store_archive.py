"""Archives of run folders (tar, tar.gz, zip), unpacked so that nothing can land outside of the folder.

Only regular files are taken, each name once, with relative paths that do not climb; links, devices and absolute paths
are refused, and so is an archive that is cut short or larger than its limits. Nothing in an archive is executed.
"""

from __future__ import annotations

import errno
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from benchmark.exchange.checksums import CHECKSUMS, verify_checksums
from benchmark.store.disk_usage import format_size
from benchmark.store.store import Store

_READING_ERRORS = (
    tarfile.TarError,
    zipfile.BadZipFile,
    EOFError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    RuntimeError,  # encrypted, or compressed in an unknown way
    OSError,
)
_DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""Error numbers that speak of the disk that is written to and not of the archive."""
_CHUNK = 1 << 20


class ArchiveLimits(NamedTuple):
    """Sizes beyond which an archive is refused.

    Attributes:
        member: Most bytes of a file.
        total: Most bytes of all files together.
        members: Most files.
        expansion: Most bytes of all files together per byte of the archive; archives of few files do not count.
    """

    member: int
    total: int
    members: int
    expansion: int


STORE_LIMITS = ArchiveLimits(member=64 * 10**9, total=10**12, members=10**6, expansion=1000)
"""Limits of archives of runs, whose checkpoints are large."""
EXPANDED_FREELY = 64 * 10**6
"""Bytes up to which an archive may expand in any way."""


class _Member(NamedTuple):
    """A file in an archive."""

    name: str
    content: IO[bytes]


def is_archive(path: Path) -> bool:
    """Return whether a path is that of an archive that `unpack_archive` reads."""
    return path.is_file() and (zipfile.is_zipfile(path) or tarfile.is_tarfile(path))


def unpack_archive(path: Path, folder: Path, *, limits: ArchiveLimits = STORE_LIMITS) -> Path:
    """Unpack an archive and return the folder in it that holds the runs; checksums are verified if there are any.

    Args:
        path: Archive.
        folder: Folder to unpack into; it does not exist yet.
        limits: Sizes beyond which the archive is refused.

    Raises:
        ValueError: The archive is broken, holds no runs, or something that does not belong into one; the message names
            it.
        OSError: A file cannot be written.
    """
    unpack_files(path, folder, limits=limits)
    if (folder / CHECKSUMS).is_file():
        verify_checksums(folder, path)
    return _find_store(folder, path)


def unpack_files(path: Path, folder: Path, *, limits: ArchiveLimits) -> None:
    """Unpack all files of an archive.

    Args:
        path: Archive.
        folder: Folder to unpack into; it does not exist yet.
        limits: Sizes beyond which the archive is refused.

    Raises:
        ValueError: The archive is broken, too large, or holds what does not belong into one; the message names it.
        OSError: A file cannot be written.
    """
    folder.mkdir(parents=True)
    total, names = 0, set[PurePosixPath]()
    with _open_members(path, limits) as members:
        for member in members:
            name = _check_name(member.name, path)
            if name in names:
                raise ValueError(f"{path} holds {member.name} twice: nothing was merged")
            names.add(name)
            if len(names) > limits.members:
                raise ValueError(f"{path} holds more than the limit of {limits.members} files: nothing was merged")
            try:
                total += _unpack_member(member, folder / name, path, limits)
            except OSError as error:
                if error.errno is None:  # the archive itself is broken
                    raise
                message = f"cannot unpack {path} in {folder}: {error.strerror}; nothing was merged"
                raise OSError(error.errno, message) from error
            _check_total(total, path, limits)


def _unpack_member(member: _Member, target: Path, path: Path, limits: ArchiveLimits) -> int:
    """Write a file of an archive and return its size, whatever size the archive says it has."""
    size = 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        while chunk := member.content.read(_CHUNK):
            size += len(chunk)
            _check_member(size, member.name, path, limits)
            file.write(chunk)
    return size


def _check_member(size: int, name: str, path: Path, limits: ArchiveLimits) -> None:
    if size > limits.member:
        limit = format_size(limits.member)
        raise ValueError(f"{path} holds {name}, which is larger than the limit of {limit}: nothing was merged")


def _check_total(total: int, path: Path, limits: ArchiveLimits) -> None:
    if total > limits.total:
        limit = format_size(limits.total)
        raise ValueError(f"{path} holds files of more than the limit of {limit} together: nothing was merged")
    if total > max(EXPANDED_FREELY, limits.expansion * path.stat().st_size):
        raise ValueError(
            f"{path} expands to more than the limit of {limits.expansion} times its size: nothing was merged"
        )


@contextmanager
def _open_members(path: Path, limits: ArchiveLimits) -> Iterator[Iterator[_Member]]:
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                for info in archive.infolist():
                    _check_member(info.file_size, info.filename, path, limits)
                _check_total(sum(info.file_size for info in archive.infolist()), path, limits)
                with closing(_list_zip(archive, path)) as members:
                    yield members
        else:
            with tarfile.open(path) as tar, closing(_list_tar(tar, path)) as members:
                yield members
    except _READING_ERRORS as error:
        if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{path} is broken ({reason}): copy it again") from error


def _list_tar(tar: tarfile.TarFile, path: Path) -> Generator[_Member, None, None]:
    for member in tar:
        if member.isdir():
            continue
        content = tar.extractfile(member) if member.isreg() else None
        if content is None:
            raise ValueError(f"{path} holds {member.name}, which is no plain file: nothing was merged")
        yield _Member(member.name, content)


def _list_zip(archive: zipfile.ZipFile, path: Path) -> Generator[_Member, None, None]:
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
