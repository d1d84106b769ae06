"""Readers for originals that no dataset uses directly: color-coded masks and MATLAB files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.decode import check_jpeg_end, read_content


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """Read an image as stored, without applying its EXIF orientation.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The file is missing, truncated or not an image; the message names the file.
    """
    content = read_content(path)
    check_jpeg_end(content, path)
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is broken: {_format_error(error)}; copy or download it again") from error


def read_matlab(path: Path, name: str) -> NDArray[np.integer]:
    """Read a matrix of whole numbers from a MATLAB file.

    Returns:
        (H, W) integers.

    Raises:
        ValueError: The file is missing, broken, or has no such matrix; the message names the file.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    read_content(path)  # reports a missing or empty file with the usual message
    try:
        matrix = loadmat(str(path), appendmat=False, variable_names=[name]).get(name)
    except (OSError, ValueError, TypeError, IndexError, NotImplementedError, zlib.error, MatReadError) as error:
        raise ValueError(f"{path} is broken: {_format_error(error)}; copy or download it again") from error
    if not isinstance(matrix, np.ndarray) or matrix.ndim != 2 or matrix.dtype.kind not in "iuf":
        raise ValueError(f"{path} has no matrix {name!r} of whole numbers")
    integers = matrix.astype(np.int64)
    if not np.array_equal(integers, matrix):
        raise ValueError(f"{path} has fractional numbers in {name!r}, expected class ids")
    return integers


def _format_error(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
