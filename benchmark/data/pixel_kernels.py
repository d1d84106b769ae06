"""Compiled loops over the pixels of an image and its labels.

Indices are unsigned, because Numba would otherwise test each of them for a negative one.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.compiled import compile_function

ZERO, ONE, TWO, THREE = map(np.uintp, range(4))
HALF, LOWEST, HIGHEST = map(np.float32, (0.5, 0, 255))


def look_up(table: NDArray[Any], indices: NDArray[Any]) -> NDArray[Any]:
    """Return the entries of a table, the last one for all indices beyond it.

    Args:
        table: (N,) values.
        indices: (W,) or (H, W), unsigned.

    Returns:
        Values in the shape of the indices.
    """
    values = np.empty(indices.shape, table.dtype)
    _look_up(table, np.atleast_2d(indices), np.atleast_2d(values))
    return values


def take_grid(values: NDArray[Any], rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return the values (h, w) at h rows and w columns of values (H, W)."""
    taken = np.empty((len(rows), len(columns)), values.dtype)
    _take_grid(values, rows, columns, taken)
    return taken


def map_colors(pixels: NDArray[np.uint8], matrix: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Apply an affine map to colors, rounded and clipped, in the float32 arithmetic of Pillow's `convert`.

    Args:
        pixels: (H, W, 3), in any memory order.
        matrix: (3, 4) linear map, and a shift in the last column.

    Returns:
        (H, W, 3).
    """
    rows = np.ascontiguousarray(pixels).reshape(len(pixels), -1)  # (H, 3 W)
    mapped = np.empty_like(rows)
    _map_colors(rows, matrix, mapped)
    return mapped.reshape(pixels.shape)


def split_channels(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the channels (3, H, W) of an image (H, W, 3), one after the other in memory."""
    channels = np.empty((3, *pixels.shape[:2]), np.uint8)
    _split_channels(np.ascontiguousarray(pixels).reshape(len(pixels), -1), *channels)
    return channels


@compile_function
def _look_up(table: Any, indices: Any, values: Any) -> None:
    last = np.uintp(len(table) - 1)
    for y in range(np.uintp(indices.shape[0])):
        for x in range(np.uintp(indices.shape[1])):
            values[y, x] = table[min(np.uintp(indices[y, x]), last)]


@compile_function
def _take_grid(values: Any, rows: Any, columns: Any, taken: Any) -> None:
    width = np.uintp(len(columns))
    for y in range(np.uintp(len(rows))):
        row = np.uintp(rows[y])
        if y > ZERO and row == np.uintp(rows[y - ONE]):  # enlarged
            for x in range(width):
                taken[y, x] = taken[y - ONE, x]
            continue
        for x in range(width):
            taken[y, x] = values[row, np.uintp(columns[x])]


@compile_function
def _map_colors(rows: Any, matrix: Any, mapped: Any) -> None:
    """Map colors row by row; each step is a loop that LLVM turns into vector instructions."""
    width = np.uintp(rows.shape[1] // 3)
    planes = np.empty((6, width), np.uint8)  # the channels of a row before and after
    for y in range(np.uintp(len(rows))):
        for x in range(width):
            planes[ZERO, x] = rows[y, THREE * x]
            planes[ONE, x] = rows[y, THREE * x + ONE]
            planes[TWO, x] = rows[y, THREE * x + TWO]
        for c in range(THREE):
            red, green, blue, shift = matrix[c, 0], matrix[c, 1], matrix[c, 2], matrix[c, 3]
            for x in range(width):
                r, g, b = np.float32(planes[ZERO, x]), np.float32(planes[ONE, x]), np.float32(planes[TWO, x])
                value = red * r + green * g + blue * b + shift + HALF
                planes[THREE + c, x] = np.int32(min(max(value, LOWEST), HIGHEST))
        for x in range(width):
            mapped[y, THREE * x] = planes[THREE, x]
            mapped[y, THREE * x + ONE] = planes[THREE + ONE, x]
            mapped[y, THREE * x + TWO] = planes[THREE + TWO, x]


@compile_function
def _split_channels(rows: Any, red: Any, green: Any, blue: Any) -> None:
    width = np.uintp(red.shape[1])
    for y in range(np.uintp(len(rows))):
        for x in range(width):
            red[y, x] = rows[y, THREE * x]
            green[y, x] = rows[y, THREE * x + ONE]
            blue[y, x] = rows[y, THREE * x + TWO]
