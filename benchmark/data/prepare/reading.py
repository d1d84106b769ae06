"""Originals that `benchmark.data.folders.decode` does not read, as no data set is used with them: colours and MATLAB files."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.data.folders.decode import check_end, read_content


def read_colours(path: Path) -> NDArray[np.uint8]:
    """Pixels as the file stores them, not turned whatever its EXIF says: (H, W, 3) uint8 RGB.

    Raises:
        ValueError: the file is missing, cut short or no picture; one line that names it.
    """
    content = read_content(path)
    check_end(content, path)
    try:
        with Image.open(io.BytesIO(content)) as image:
            return np.array(image.convert("RGB"))
    except (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError) as error:
        raise ValueError(f"{path} is broken: {_words(error)}; copy or download it again") from error


def read_matlab(path: Path, name: str) -> NDArray[np.integer]:
    """A matrix of whole numbers in a MATLAB file: (H, W).

    Raises:
        ValueError: the file is missing, broken, or holds no such matrix; one line that names it.
    """
    from scipy.io import loadmat
    from scipy.io.matlab import MatReadError

    read_content(path)  # to say that a file is missing or empty as everywhere else
    try:
        found = loadmat(str(path), appendmat=False, variable_names=[name]).get(name)
    except (OSError, ValueError, TypeError, IndexError, NotImplementedError, zlib.error, MatReadError) as error:
        raise ValueError(f"{path} is broken: {_words(error)}; copy or download it again") from error
    if not isinstance(found, np.ndarray) or found.ndim != 2 or found.dtype.kind not in "iuf":
        raise ValueError(f"{path} has no matrix {name!r} of whole numbers")
    whole = found.astype(np.int64)
    if not np.array_equal(whole, found):
        raise ValueError(f"{path} has numbers with fractions in {name!r}, expected class ids")
    return whole


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
