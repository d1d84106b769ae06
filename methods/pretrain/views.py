"""Views of toybox images, as the training of the toy CLIP sees them: a quarter of the patches and their classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.canvas import SIZE
from benchmark.data.toybox.scene import list_tags
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.assets import TOY_MODEL
from methods.pretrain.images import resize_crop

GRID = SIZE // read_architecture(TOY_MODEL).patch_size
"""Patches of an image in each direction."""

WINDOW = GRID // 2
"""Patches of a window in each direction."""

_MIN_CROP = 20


@dataclass(frozen=True)
class View:
    """An image of which some patches are kept.

    Attributes:
        image: (3, SIZE, SIZE) RGB in 0-255.
        classes: Classes that a caption of the view names, largest first.
        patches: (WINDOW²,) indices of the kept patches, in row-major order of the grid.
    """

    image: Tensor
    classes: tuple[str, ...]
    patches: NDArray[np.int64]


def draw_view(image: NDArray[np.uint8], labels: NDArray[np.uint8], *, windows: int, random: KeyedRandom) -> View:
    """Draw a view of an image.

    A window keeps neighboring patches, and its classes are those that it shows. The other views are whole images and
    crops of which patches are kept at random, as in FLIP (arXiv 2212.00794); their classes are all that the
    whole image or crop shows.

    Args:
        image: (SIZE, SIZE, 3) RGB.
        labels: (SIZE, SIZE) labels.
        windows: Percentage of windows.
        random: Source of randomness.
    """
    window = _draw_window(image, labels, random=random) if random.draw_bool(windows) else None
    return window or _draw_crop(image, labels, random=random)


def _draw_window(image: NDArray[np.uint8], labels: NDArray[np.uint8], *, random: KeyedRandom) -> View | None:
    """Keep a square of patches; None if it shows only the backdrop of a portrait."""
    top, left = (random.draw_integer(0, GRID - WINDOW + 1) for _ in range(2))
    patch = SIZE // GRID
    rows, columns = (slice(start * patch, (start + WINDOW) * patch) for start in (top, left))
    classes = list_tags(labels[rows, columns])
    if not classes:
        return None
    patches = np.arange(GRID * GRID).reshape(GRID, GRID)[top : top + WINDOW, left : left + WINDOW]
    return View(resize_crop(image), classes, patches.ravel())


def _draw_crop(image: NDArray[np.uint8], labels: NDArray[np.uint8], *, random: KeyedRandom) -> View:
    """Crop at random, or keep the whole image with probability 0.5; flip with probability 0.5; drop patches."""
    side = SIZE if random.draw_bool(50) else random.draw_integer(_MIN_CROP, SIZE)
    x, y = random.draw_integer(0, SIZE - side + 1), random.draw_integer(0, SIZE - side + 1)
    order = random.draw_integers(0, 1 << 30, shape=(GRID * GRID,)).argsort(kind="stable")
    patches = np.sort(order[: WINDOW * WINDOW])
    classes = list_tags(labels[y : y + side, x : x + side])
    if not classes:  # the crop shows only the backdrop of a portrait
        return View(resize_crop(image), list_tags(labels), patches)
    crop = image[y : y + side, x : x + side]
    return View(resize_crop(crop[:, ::-1] if random.draw_bool(50) else crop), classes, patches)
