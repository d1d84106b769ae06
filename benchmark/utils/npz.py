"""Arrays in .npz files: equal arrays give equal bytes, and reading many small files is fast.

Files are inflated by zlib-ng if it is installed, in half of the time of zlib. Whatever zlib-ng does not take is left to
`zipfile` and zlib, so that a fault has one message. zlib packs all files: another packer would give other bytes.
"""

from __future__ import annotations

import importlib
import io
import struct
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    fast_zlib: Any = importlib.import_module("zlib_ng.zlib_ng")
except ImportError:
    fast_zlib = zlib

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s6H3L5H2L")
_MAX_RATIO = 1032
"""Largest ratio of inflated to deflated bytes, so that no damaged size is believed."""
_END_MARK, _ENTRY_MARK, _HEADER_SIZE = b"PK\x05\x06", b"PK\x01\x02", 30
"""Records of a zip file (PKWARE's APPNOTE.TXT 4.3.16 and 4.3.12), and the size of the header before an entry."""


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of an .npz file; unlike those of numpy's own writer, they hold no time and no platform."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression=zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, array in arrays.items():
            entry = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            entry.create_system, entry.compress_type = 3, zipfile.ZIP_DEFLATED
            blob = io.BytesIO()
            np.lib.format.write_array(blob, array, allow_pickle=False)
            archive.writestr(entry, blob.getvalue(), compresslevel=6)
    return buffer.getvalue()


def read_npz(content: bytes) -> dict[str, NDArray[Any]]:
    """Return the arrays of an .npz file by name.

    Args:
        content: Bytes of the file.

    Raises:
        ValueError: An entry is no .npy file of version 1.0, or cannot be unpacked.
        zipfile.BadZipFile: The content is cut short or is no zip file.
        zlib.error: A compressed entry is damaged.
    """
    blobs = _read_plain_zip(content)
    if blobs is None:  # of another program, or damaged, which this says
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                blobs = {name: archive.read(name) for name in archive.namelist()}
        except OSError as error:  # of a damaged entry that seems to be packed in another way
            raise ValueError(f"an entry cannot be unpacked ({error})") from error
    return {name.removesuffix(".npy"): _read_array(blob) for name, blob in blobs.items()}


def _read_plain_zip(content: bytes) -> dict[str, bytes] | None:
    """Return the entries of a zip file by name, with a fifth of the steps of `zipfile`.

    Returns:
        None unless all is as `to_npz` writes it: no comments and extra fields, deflated entries, nothing between them,
        and checksums that match.
    """
    places = _list_plain_entries(content)
    if places is None:
        return None
    blobs: dict[str, bytes] = {}
    view = memoryview(content)
    for name, start, end, size, checksum in places:
        try:
            blob = fast_zlib.decompress(view[start:end], -zlib.MAX_WBITS, max(size, 1))
        except fast_zlib.error:
            return None
        if len(blob) != size or fast_zlib.crc32(blob) != checksum:
            return None
        blobs[name] = blob
    return blobs if len(blobs) == len(places) else None


def _list_plain_entries(content: bytes) -> list[tuple[str, int, int, int, int]] | None:
    """Return name, start, end, size when inflated and checksum of every entry; None for another kind of zip file."""
    try:
        (*end_mark, number, size, start, comment) = _END.unpack_from(content, len(content) - _END.size)
        if end_mark != [_END_MARK, 0, 0, number] or comment or start + size + _END.size != len(content):
            return None
        places, at, next_entry = [], start, 0
        for _ in range(number):
            mark, _, _, flags, method, _, _, checksum, packed, whole, length, *extra, offset = _ENTRY.unpack_from(
                content, at
            )
            name = content[at + _ENTRY.size : at + _ENTRY.size + length]
            header = content[offset : offset + _HEADER_SIZE + length]
            is_plain = (mark, flags, method, extra[:3]) == (_ENTRY_MARK, 0, zipfile.ZIP_DEFLATED, [0, 0, 0])
            # the header before the content repeats the entry from its flags to the length of its name
            is_same = header[6:28] == content[at + 8 : at + 30] and header[28:] == b"\0\0" + name
            if not (is_plain and is_same and offset == next_entry and name.isascii()) or whole > _MAX_RATIO * packed:
                return None
            begin = offset + len(header)
            next_entry = begin + packed
            places.append((name.decode("ascii"), begin, next_entry, whole, checksum))
            at += _ENTRY.size + length
    except struct.error:
        return None
    return places if at == start + size and next_entry == start else None


def _read_array(blob: bytes) -> NDArray[Any]:
    """Return the array of an .npy file; unlike `np.load`, which parses every header, this parses each text once."""
    end = 10 + int.from_bytes(blob[8:10], "little")
    if blob[:8] != b"\x93NUMPY\x01\x00":
        raise ValueError("an entry is no .npy file of version 1.0")
    shape, is_column_major, dtype = _parse_array_header(blob[8:end])
    return np.frombuffer(blob, dtype, offset=end).reshape(shape, order="F" if is_column_major else "C")


@lru_cache(maxsize=4096)
def _parse_array_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, memory order and type from the header of an .npy file, its length included."""
    return np.lib.format.read_array_header_1_0(io.BytesIO(header))
