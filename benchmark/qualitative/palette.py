"""Colors of the classes of a split: the color map of PASCAL VOC, which many label maps have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmark.core.split import BACKGROUND

Palette = NDArray[np.uint8]
"""(K, 3) RGB."""


def make_palette(classes: Sequence[str], *, dataset_classes: Sequence[str]) -> Palette:
    """Return a color for each class of a split, by its label in the dataset; black is left to the background.

    On VOC, a class has the color that it has in the dataset's own masks, whatever the split.

    Args:
        classes: Classes of the split.
        dataset_classes: Classes of the dataset in label order.
    """
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
