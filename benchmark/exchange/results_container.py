"""The bytes of an archive of results around its files: they must be those that `export` writes, and nothing else.

The checksums cover the content of the files; this covers names, times, permissions and the directory of the zip file.
So no changed byte of an archive passes, unless a compressed stream expands to the same content in spite of it.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from benchmark.store.archive import make_zip_entry

_CENTRAL_BYTES = 46
"""Bytes of the directory for each file, beside its name."""
_LENGTHS_AT = 28
"""Offset of the lengths of name, extra field and comment within these bytes."""
_FIELDS = (
    "create_version",
    "create_system",
    "extract_version",
    "reserved",
    "flag_bits",
    "compress_type",
    "date_time",
    "volume",
    "internal_attr",
    "external_attr",
    "extra",
    "comment",
)
_LARGE_BYTES, _LARGE_FILES = 0xFFFFFFFF, 0xFFFF
"""Size and number of files from which the directory has another form, which is not checked."""


def check_container(path: Path) -> None:
    """Check that nothing around the files of an archive differs from what `export` writes.

    Args:
        path: Archive whose files were unpacked without an error.

    Raises:
        ValueError: Some bytes are others; one line that says which.
    """
    with zipfile.ZipFile(path) as archive, path.open("rb") as file:
        infos, offset = archive.infolist(), 0
        for info in infos:
            header = info.FileHeader()
            file.seek(offset)
            if offset != info.header_offset or file.read(len(header)) != header or not _is_plain(info):
                raise ValueError(
                    f"{path} has another name, time or permission than export gives at {info.filename!r}: "
                    f"nothing was merged"
                )
            offset += len(header) + info.compress_size
        _check_directory(file, path, [info.filename for info in infos], start=archive.start_dir, end=offset)


def _check_directory(file: IO[bytes], path: Path, names: Sequence[str], *, start: int, end: int) -> None:
    """Check the directory at the end of an archive, apart from what its entries say.

    Args:
        file: Archive.
        path: Path of the archive, for the message.
        names: Names of the files in their order.
        start: Offset of the directory.
        end: Offset of the end of the last file.
    """
    if start >= _LARGE_BYTES or len(names) >= _LARGE_FILES:
        return
    file.seek(start)
    directory, offset, lengths = file.read(), 0, []
    for name in names:
        lengths.append(struct.unpack_from("<3H", directory, offset + _LENGTHS_AT) == (len(name.encode()), 0, 0))
        offset += _CENTRAL_BYTES + len(name.encode())
    last = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, len(names), len(names), offset, start, 0)
    if start != end or not all(lengths) or list(names) != sorted(names) or directory[offset:] != last:
        raise ValueError(f"{path} has another directory of its files than export writes: nothing was merged")


def _is_plain(info: zipfile.ZipInfo) -> bool:
    plain = make_zip_entry(info.filename)
    plain.flag_bits = 0 if info.filename.isascii() else 0x800  # which says that the name is UTF-8
    return all(getattr(info, field, 0) == getattr(plain, field, 0) for field in _FIELDS)
