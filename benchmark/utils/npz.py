"""Arrays in .npz files: equal arrays give equal bytes, and reading many small files is fast."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray


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
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        try:
            blobs = {name.removesuffix(".npy"): archive.read(name) for name in archive.namelist()}
        except OSError as error:  # of a damaged entry that seems to be packed in another way
            raise ValueError(f"an entry cannot be unpacked ({error})") from error
    return {name: _read_array(blob) for name, blob in blobs.items()}


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
