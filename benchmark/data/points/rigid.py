"""Rigid transforms of points, as 4 x 4 matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.data.points.pinhole import Floats


def make_transform(*, rotation: Sequence[float], translation: Sequence[float]) -> NDArray[np.float64]:
    """Return the transform (4, 4) x -> R x + t.

    Args:
        rotation: Quaternion (w, x, y, z) of R; its length does not matter.
        translation: t, in meters.
    """
    w, x, y, z = np.array(rotation, dtype=np.float64) / np.linalg.norm(rotation)
    transform = np.eye(4)
    transform[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    transform[:3, 3] = translation
    return transform


def move_points(points: Floats, transform: Floats) -> NDArray[np.float64]:
    """Apply a transform (3 or 4, 4) to points (N, 3)."""
    return np.asarray(points @ transform[:3, :3].T + transform[:3, 3])
