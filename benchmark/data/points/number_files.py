"""Binary files of numbers without a header, the format of LiDAR scans and their labels."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray


def read_numbers(path: Path, dtype: np.dtype[Any], *, columns: int) -> NDArray[Any]:
    """Read a file of numbers as (N, columns).

    Raises:
        ValueError: The file is missing, or its size does not fit.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    row = columns * dtype.itemsize
    if len(content) % row:
        raise ValueError(f"{path} has {len(content)} bytes, expected a multiple of {row}: copy it again")
    return np.frombuffer(content, dtype=dtype).reshape(-1, columns)


def read_label_numbers(path: Path, dtype: np.dtype[Any], *, count: int) -> NDArray[Any]:
    """Read the labels of a scan as they are in its file.

    Args:
        path: Label file.
        dtype: Type of a number.
        count: Number N of points of the scan.

    Returns:
        (N,) numbers.

    Raises:
        ValueError: The file is missing, or has another number of labels.
    """
    numbers = read_numbers(path, dtype, columns=1)[:, 0]
    if len(numbers) != count:
        raise ValueError(f"{path} has {len(numbers)} labels for a scan of {count} points: copy both from one release")
    return numbers


def read_scan_numbers(path: Path, *, columns: int) -> NDArray[np.float32]:
    """Read the points of a scan as (N, columns).

    Raises:
        ValueError: The file is missing, its size is that of no scan, or a number is not finite.
    """
    numbers = read_numbers(path, np.dtype("<f4"), columns=columns)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{path} has numbers that are not finite: copy it again")
    return numbers


def digest_arrays(*arrays: NDArray[np.float64]) -> str:
    """Return the SHA-256 (hex) of some arrays."""
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()
