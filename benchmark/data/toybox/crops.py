"""Single-class crops of toybox scenes, for image-level accuracy and for the pre-training of a body."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.scene import CLASSES, SIZE, ToyScene, draw_scene
from benchmark.data.toybox.things import THINGS

MIN_SIDE = 16
"""Smallest side of a crop in pixels."""

MIN_VISIBLE = 150
"""Smallest number of visible pixels of an object."""


def iterate_crops(subset: str, count: int, *, classes: tuple[str, ...]) -> Iterator[tuple[NDArray[np.uint8], str]]:
    """Yield square crops (side, side, 3) that show one class and no pixel of any other, with the name of the class.

    Args:
        subset: Scenes to crop, at most one crop from each.
        count: Number of crops.
        classes: Names of the classes to choose from.
    """
    num_crops, index = 0, 0
    while num_crops < count:
        scene, draws = draw_scene(subset, index), KeyedRandom("crop", subset, index)
        index += 1
        candidates = [name for name in scene.tags if name in classes]
        if not candidates:
            continue
        name = draws.pick(candidates)
        cut_crop = _cut_thing if name in THINGS else _cut_stuff
        crop = cut_crop(scene, CLASSES.index(name), draws=draws)
        if crop is not None:
            num_crops += 1
            yield crop, name


def _cut_thing(scene: ToyScene, label: int, *, draws: KeyedRandom) -> NDArray[np.uint8] | None:
    """Cut the square around an object, on a plain background; None if the object is small or cut off by the edge."""
    # bounding box of the object
    mask = scene.labels == label
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    is_cut_off = top == 0 or left == 0 or bottom == SIZE or right == SIZE
    if is_cut_off or mask.sum() < MIN_VISIBLE:
        return None
    # square around the box, inside the image
    side = min(SIZE, max(right - left, bottom - top) + 4)
    x = min(max(0, (left + right - side) // 2), SIZE - side)
    y = min(max(0, (top + bottom - side) // 2), SIZE - side)
    # plain background: (side, side, 1) mask, (3,) color
    is_inside = mask[y : y + side, x : x + side, None]
    background = draws.draw_integers(0, 256, shape=(3,)).astype(np.uint8)
    return np.where(is_inside, scene.image[y : y + side, x : x + side], background)


def _cut_stuff(scene: ToyScene, label: int, *, draws: KeyedRandom) -> NDArray[np.uint8] | None:
    """Cut a square that shows nothing else; None if sixteen random squares all do."""
    for _ in range(16):
        side = draws.draw_integer(MIN_SIDE, 40)
        x, y = draws.draw_integer(0, SIZE - side + 1), draws.draw_integer(0, SIZE - side + 1)
        if (scene.labels[y : y + side, x : x + side] == label).all():
            return scene.image[y : y + side, x : x + side]
    return None
