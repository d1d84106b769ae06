"""Arrays in .npz files: equal arrays give equal bytes, and reading many small files is fast."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.utils.fast_zlib import fastest

_HEADER_BYTES, _LENGTH_OFFSETS = 30, (26, 28)
"""Bytes of the header of a zip entry before its name, and places of the lengths of the name and of the extra field
behind it (APPNOTE.TXT, section 4.3.7)."""
_RAW = -zlib.MAX_WBITS
"""Window of deflated data without a header."""
_MAX_RATIO = 1032
"""Bytes that deflate packs into one at most."""


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
        ValueError: An entry is damaged, packed in another way than numpy's, or no .npy file of version 1.0.
        zipfile.BadZipFile: The content is cut short or is no zip file.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = archive.infolist()
    return {entry.filename.removesuffix(".npy"): _read_array(_unpack(content, entry)) for entry in entries}


def _unpack(content: bytes, entry: zipfile.ZipInfo) -> bytes:
    """Return the content of an entry, in half the time of `ZipFile.read`, which files larger than memory need."""
    start, *lengths = (entry.header_offset + offset for offset in (_HEADER_BYTES, *_LENGTH_OFFSETS))
    start += sum(int.from_bytes(content[place : place + 2], "little") for place in lengths)
    packed = content[start : start + entry.compress_size]
    blob = packed if entry.compress_type == zipfile.ZIP_STORED else _inflate(packed, entry)
    if len(blob) != entry.file_size or fastest.crc32(blob) != entry.CRC:
        raise ValueError(f"the entry {entry.filename} is damaged")
    return blob


def _inflate(packed: bytes, entry: zipfile.ZipInfo) -> bytes:
    size = min(entry.file_size, _MAX_RATIO * len(packed))  # of a damaged entry, any number
    try:
        return bytes(fastest.decompress(packed, wbits=_RAW, bufsize=max(1, size)))
    except fastest.error as error:
        raise ValueError(f"the entry {entry.filename} cannot be unpacked ({error})") from error


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
