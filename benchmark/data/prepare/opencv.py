"""Resizing that matches OpenCV bit by bit (compared with 4.5.5, 4.10 and 5.0); published datasets were made with it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

_ONE = 2048
"""The unit of fixed-point weights."""


def resize_linear(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize an image bilinearly, without low-pass filter (`INTER_LINEAR`).

    OpenCV interpolates in fixed point: along the rows first, then between them, where it drops four bits before and
    sixteen bits after the product.

    Args:
        image: (H, W, 3) RGB.
        height: New height.
        width: New width.

    Returns:
        (height, width, 3).
    """
    rows, row_weights = _find_neighbors(image.shape[0], height)
    columns, column_weights = _find_neighbors(image.shape[1], width)
    total = np.zeros((height, width, image.shape[2]), dtype=np.int32)
    for row, row_weight in zip(rows, row_weights, strict=True):
        # interpolate along the rows: (height, W, 3) to (height, width, 3)
        lines = image[row].astype(np.int32)
        along = sum(lines[:, column] * weight[:, None] for column, weight in zip(columns, column_weights, strict=True))
        # add the share of this row
        total += (row_weight[:, None, None] * (along >> 4)) >> 16
    return ((total + 2) >> 2).astype(np.uint8)


def resize_nearest(labels: NDArray[Number], height: int, width: int) -> NDArray[Number]:
    """Resize labels by nearest neighbor (`INTER_NEAREST`): OpenCV takes the label under the corner of each pixel.

    Args:
        labels: (H, W) labels.
        height: New height.
        width: New width.

    Returns:
        (height, width).
    """
    rows, columns = (
        np.minimum(np.floor(np.arange(new) * _compute_step(old, new)).astype(np.int64), old - 1)
        for old, new in zip(labels.shape, (height, width), strict=True)
    )
    resized: NDArray[Number] = labels[rows][:, columns]
    return resized


def _find_neighbors(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the two old pixels around the center of every new pixel, (2, new), and their weights, (2, new)."""
    # position of the centers: (new,)
    center = ((np.arange(new) + 0.5) * _compute_step(old, new) - 0.5).astype(np.float32)
    first = np.floor(center).astype(np.int64)
    share = (center - first).astype(np.float32)
    # outside the centers of the border pixels, the border pixel counts alone
    share[(first < 0) | (first >= old - 1)] = 0
    first = first.clip(0, old - 1)
    weights = np.rint(np.stack([np.float32(1) - share, share]) * np.float32(_ONE)).astype(np.int32)
    return np.stack([first, np.minimum(first + 1, old - 1)]), weights


def _compute_step(old: int, new: int) -> float:
    """Return the old pixels per new pixel with OpenCV's rounding, which divides one by the inverse."""
    return 1 / (new / old)
