"""Resizing as OpenCV does it, to the bit (compared with 4.5.5, 4.10 and 5.0): published data sets were made with it."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Number = TypeVar("Number", bound=np.generic)

_ONE = 2048
"""Weights are whole numbers of this part."""


def resize_linear(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Bilinear, without low-pass (`INTER_LINEAR`): (H, W, 3) to (height, width, 3).

    OpenCV interpolates in fixed point: along the rows first, then between them, where it drops four bits before and
    sixteen after the product.
    """
    rows, row_weights = _taps(image.shape[0], height)
    columns, column_weights = _taps(image.shape[1], width)
    total = np.zeros((height, width, image.shape[2]), dtype=np.int32)
    for at, weight in zip(rows, row_weights, strict=True):
        lines = image[at].astype(np.int32)
        along = sum(lines[:, to] * share[:, None] for to, share in zip(columns, column_weights, strict=True))
        total += (weight[:, None, None] * (along >> 4)) >> 16
    return ((total + 2) >> 2).astype(np.uint8)


def resize_nearest(labels: NDArray[Number], height: int, width: int) -> NDArray[Number]:
    """One pixel for one (`INTER_NEAREST`): (H, W) to (height, width).

    OpenCV takes what lies under the corner of a pixel, not under its centre.
    """
    rows, columns = (
        np.minimum(np.floor(np.arange(new) * _step(old, new)).astype(np.int64), old - 1)
        for old, new in zip(labels.shape, (height, width), strict=True)
    )
    resized: NDArray[Number] = labels[rows][:, columns]
    return resized


def _taps(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Of every new pixel the two old ones between which its centre lies, (2, new), and their weights, (2, new)."""
    centre = ((np.arange(new) + 0.5) * _step(old, new) - 0.5).astype(np.float32)
    first = np.floor(centre).astype(np.int64)
    share = (centre - first).astype(np.float32)
    share[(first < 0) | (first >= old - 1)] = 0
    first = first.clip(0, old - 1)
    weights = np.rint(np.stack([np.float32(1) - share, share]) * np.float32(_ONE)).astype(np.int32)
    return np.stack([first, np.minimum(first + 1, old - 1)]), weights


def _step(old: int, new: int) -> float:
    """Old pixels per new one, with OpenCV's rounding: it divides one by their inverse."""
    return 1 / (new / old)
