"""Depth maps of toybox subsets, drawn once and cached."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.toybox.canvas import SIZE
from benchmark.data.toybox.scene import draw_scene
from benchmark.utils.array_cache import load_arrays, save_arrays

MAX_SINGLE_SCENES = 64
"""Number of scenes drawn one by one before a whole subset is drawn, so that a short test need not wait for all."""

DepthMap = NDArray[np.uint16]


class DepthMaps:
    """Depth maps of a subset in millimeters: single scenes at first, then all of them, from the cache if possible.

    Args:
        subset: Name of the subset.
        size: Number of its scenes.
        key: Cache key of the subset, which contains everything that determines its scenes.
    """

    def __init__(self, subset: str, size: int, *, key: str) -> None:
        self._subset, self._size, self._key = subset, size, f"{key}-depth"
        self._singles: dict[int, DepthMap] = {}
        self._whole: DepthMap | None = None
        self._is_looked_up = False

    def read(self, index: int) -> DepthMap:
        """Return the depth map (SIZE, SIZE) of a scene; the index must be in range."""
        if not self._is_looked_up:
            self._is_looked_up, self._whole = True, self._load()
        if self._whole is None and index not in self._singles:
            if len(self._singles) < MAX_SINGLE_SCENES:
                self._singles[index] = draw_scene(self._subset, index).depth_mm
            else:
                self._whole = self._draw()
        return self._singles[index] if self._whole is None else self._whole[index]

    def _load(self) -> DepthMap | None:
        """Return all maps from the cache, (N, SIZE, SIZE); None if they are not there."""
        depth = (load_arrays(self._key) or {}).get("depth_mm")
        is_valid = depth is not None and depth.dtype == np.uint16 and depth.shape == (self._size, SIZE, SIZE)
        return depth if is_valid else None

    def _draw(self) -> DepthMap:
        depth = np.stack([draw_scene(self._subset, index).depth_mm for index in range(self._size)])
        save_arrays(self._key, {"depth_mm": depth})
        self._singles.clear()
        return depth
