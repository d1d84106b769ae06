"""Places and weights of bilinear resizing, in the float32 arithmetic of torch's `interpolate`."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Size = tuple[int, int]


class Axis(NamedTuple):
    """Bilinear resizing of one axis to n places.

    Attributes:
        places: (2, n) both places of the source that each place lies between, ascending.
        weights: (2, n) their weights.
    """

    places: NDArray[np.uintp]
    weights: NDArray[np.float32]


class Resizing(NamedTuple):
    """Bilinear resizing of maps."""

    rows: Axis
    columns: Axis


def make_resizings(sizes: Sequence[Size]) -> tuple[Resizing, Resizing]:
    """Return resizing from low resolution to an image, and from there to the output; one of them may keep the size.

    Args:
        sizes: Size of the scores, of the padded image, of the image and of the output.
    """
    low, padded, image, output = sizes
    to_image = make_resizing(low, padded, image)
    if image == output:
        return make_resizing(low, low, low), to_image
    return to_image, make_resizing(image, output, output)


@lru_cache(maxsize=64)
def make_resizing(source: Size, size: Size, part: Size) -> Resizing:
    """Return resizing of maps to a size, of which the upper left part is kept."""
    return Resizing(*(_make_axis(*lengths) for lengths in zip(source, size, part, strict=True)))


def _make_axis(source: int, size: int, count: int) -> Axis:
    """Return the resizing of an axis from `source` to `size` places, for the first `count` of them."""
    scale = np.float32(source) / np.float32(size)
    centers = np.float64(scale) * (np.arange(count) + 0.5) - 0.5  # exact, so that it is rounded once, to float32
    centers = np.maximum(centers.astype(np.float32), np.float32(0))
    before = np.minimum(centers.astype(np.int64), source - 1)
    after = np.minimum(before + 1, source - 1)
    weight = np.clip(centers - before.astype(np.float32), 0, 1).astype(np.float32)
    return Axis(np.stack([before, after]).astype(np.uintp), np.stack([np.float32(1) - weight, weight]))
