"""Single-class crops of toybox scenes: what image-level accuracy is measured on and a body is pre-trained with."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.scene import CLASSES, SIZE, Scene, scene
from benchmark.data.toybox.things import THINGS

MIN_SIDE = 16
"""Smallest side of a crop in pixels."""

MIN_VISIBLE = 150
"""Fewest pixels of an object in view."""


def _thing_crop(view: Scene, index: int, *, draws: KeyedRandom) -> NDArray[np.uint8] | None:
    """The square around an object that the frame does not cut; what is not the object becomes a plain backdrop."""
    mask = view.labels == index
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    cut_off = top == 0 or left == 0 or bottom == SIZE or right == SIZE
    if cut_off or mask.sum() < MIN_VISIBLE:
        return None
    side = min(SIZE, max(right - left, bottom - top) + 4)
    x = min(max(0, (left + right - side) // 2), SIZE - side)
    y = min(max(0, (top + bottom - side) // 2), SIZE - side)
    inside = mask[y : y + side, x : x + side, None]
    backdrop = draws.integers(0, 256, shape=(3,)).astype(np.uint8)
    return np.where(inside, view.image[y : y + side, x : x + side], backdrop)


def _stuff_crop(view: Scene, index: int, *, draws: KeyedRandom) -> NDArray[np.uint8] | None:
    """A square that holds nothing else, if sixteen tries find one."""
    for _ in range(16):
        side = draws.integer(MIN_SIDE, 40)
        x, y = draws.integer(0, SIZE - side + 1), draws.integer(0, SIZE - side + 1)
        if (view.labels[y : y + side, x : x + side] == index).all():
            return view.image[y : y + side, x : x + side]
    return None


def single_class_crops(part: str, count: int, *, classes: tuple[str, ...]) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Square crops (side, side, 3) that show one of `classes` and not a pixel of any other, with its name.

    Args:
        part: the scenes they are cut from, one at most from each.
        count: how many.
    """
    found, index = 0, 0
    while found < count:
        view, draws = scene(part, index), KeyedRandom("crop", part, index)
        index += 1
        candidates = [name for name in view.tags if name in classes]
        if not candidates:
            continue
        name = draws.pick(candidates)
        cut = _thing_crop if name in THINGS else _stuff_crop
        crop = cut(view, CLASSES.index(name), draws=draws)
        if crop is not None:
            found += 1
            yield crop, name
