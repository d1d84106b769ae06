"""Colors of the classes of a split: those of the dataset, so that label maps look as its own masks do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.core.split import BACKGROUND
from benchmark.data.catalog import DATASETS
from benchmark.data.toybox.palette import STUFF_COLORS, THING_COLORS

Palette = NDArray[np.uint8]
"""(K, 3) RGB."""

MAX_COLORS = 255
"""Largest number of classes whose label maps can have a palette; 255 is left for pixels without a class."""


def make_palette(classes: Sequence[str], *, dataset: str, dataset_classes: Sequence[str]) -> Palette:
    """Return a color for each class of a split.

    Toybox has the typical colors of its textures and objects. Other datasets have the color map of PASCAL VOC, by the
    label of a class in the dataset; black is left to the background.

    Args:
        classes: Classes of the split.
        dataset: Name of the dataset.
        dataset_classes: Classes of the dataset in label order.
    """
    if dataset in DATASETS:
        typical = {name: colors[0] for name, colors in {**STUFF_COLORS, **THING_COLORS}.items()}
        return np.array([typical[name] for name in classes], dtype=np.uint8)
    first = 0 if BACKGROUND in dataset_classes else 1
    return np.array([make_voc_color(dataset_classes.index(name) + first) for name in classes], dtype=np.uint8)


def make_voc_color(label: int) -> tuple[int, int, int]:
    """Return the color of a label in the color map of PASCAL VOC (`VOClabelcolormap` of its development kit).

    The bits of the label, lowest first, go to red, green and blue in turn, from the highest bit of each down.
    """
    red = green = blue = 0
    for position in range(7, -1, -1):
        red |= (label & 1) << position
        green |= (label >> 1 & 1) << position
        blue |= (label >> 2 & 1) << position
        label >>= 3
    return red, green, blue
