"""Tables, grids and colors of pixels: by compiled loops where they are faster, with the same values.

NumPy and Pillow compute small images, for which importing Numba would not pay, and all of them if Numba is missing or
does not work.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]

SMALL = 2**15
"""Pixels up to which NumPy and Pillow are used."""

_log = logging.getLogger(__name__)
_exact: dict[str, bool] = {}
"""Whether a fast computation has the values of the plain one, by name."""


def look_up(table: NDArray[Any], indices: NDArray[Any]) -> NDArray[Any]:
    """Return the entries of a table, the last one for all indices beyond it.

    Args:
        table: (N,) values.
        indices: (W,) or (H, W), unsigned.

    Returns:
        Values in the shape of the indices.
    """
    kernels = get_kernels(indices.size)
    values: NDArray[Any] = table.take(indices, mode="clip") if kernels is None else kernels.look_up(table, indices)
    return values


def take_grid(values: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return the values (h, w) at h rows and w columns, none negative, of values (H, W)."""
    kernels = get_kernels(len(rows) * len(columns))
    taken: NDArray[Any] = values[rows][:, columns] if kernels is None else kernels.take_grid(values, rows, columns)
    return taken


def map_colors(pixels: Pixels, matrix: NDArray[np.float64]) -> Pixels:
    """Apply an affine map to colors, with the pixels of Pillow's `convert`: rounded and clipped to 0-255.

    Args:
        pixels: (H, W, 3) RGB, in any memory order.
        matrix: (3, 4) linear map, and a shift in levels in the last column.

    Returns:
        (H, W, 3).
    """

    def map_by_pillow() -> Pixels:
        rows = np.ascontiguousarray(pixels)
        image = Image.frombuffer("RGB", (rows.shape[1], rows.shape[0]), rows, "raw", "RGB", 0, 1)
        return np.array(image.convert("RGB", tuple(matrix.ravel().tolist())))  # no float copy of the image is made

    kernels = get_kernels(pixels.shape[0] * pixels.shape[1])
    if kernels is None:
        return map_by_pillow()
    return compute_exactly("colors", lambda: kernels.map_colors(pixels, matrix.astype(np.float32)), map_by_pillow)


def compute_exactly(name: str, fast: Callable[[], Pixels], plain: Callable[[], Pixels]) -> Pixels:
    """Return the value of a fast computation if it is that of a plain one, or else that of the plain one.

    How a library was built decides its rounding. So the first value of a process is computed in both ways, and if they
    differ, all further ones in the plain way.

    Args:
        name: Name of the computation.
        fast: Function that computes the value quickly.
        plain: Function that defines the value.
    """
    if name not in _exact:
        expected = plain()
        _exact[name] = np.array_equal(fast(), expected)
        if not _exact[name]:
            _log.info("%s: the fast computation has other pixels here and is not used", name)
        return expected
    return fast() if _exact[name] else plain()


def get_kernels(pixels: int) -> Any:
    """Return the module of compiled loops; None if it would not pay for so few pixels, or does not work."""
    return None if pixels <= SMALL else load_kernels()


@cache
def load_kernels() -> Any:
    """Return the module of compiled loops; None if Numba is missing or does not work."""
    try:
        from benchmark.data import pixel_kernels
    except Exception as error:  # whatever Numba, LLVM or their combination with NumPy raise
        _log.info("pixels are mapped by NumPy and Pillow: %s", error)
        return None
    return pixel_kernels
