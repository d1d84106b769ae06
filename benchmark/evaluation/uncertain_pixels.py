"""Pixels whose margin bin is not certain before torch has summed their softmax.

There are few of them, one or two in an image of 64 x 64 pixels. They are collected over images, as torch takes about as
long for one as for hundreds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from benchmark.evaluation.counts import Integers
from benchmark.evaluation.margin_bins import Labels, find_bins, sum_softmax

MAX_SCORES = 2**20
"""Scores that are collected, about: 4 MB."""

Floats = NDArray[np.float32]


class UncertainPixels(NamedTuple):
    """D pixels of one image.

    Attributes:
        pixels: (D,) their indices in the flattened image.
        scores: (K, D) scores of all classes.
        best: (2, D) highest score of a seen and of an unseen class.
        classes: (2, D) classes of these scores.
        bins: (D,) one of the bins that each margin may have.
    """

    pixels: NDArray[np.int64]
    scores: Floats
    best: Floats
    classes: Labels
    bins: Labels

    def find_bins(self) -> Labels:
        """Return the bins (D,) that follow from the sums of torch, in float32 and in the order of the classes."""
        total = sum_softmax([torch.from_numpy(self.scores)], torch.from_numpy(self.best.max(axis=0)))
        return find_bins(self.best, self.classes, total.numpy())


class MarginCorrections:
    """Corrections of the counts of margins, for uncertain pixels that are counted in one of their bins.

    Args:
        margins: (K, 2, B) numbers of pixels by best class, by whether it is the label, and by margin bin.
        ignore: Label of pixels that are not counted.
    """

    def __init__(self, margins: Integers, *, ignore: int) -> None:
        self._margins, self._ignore = margins, ignore
        self._parts: list[tuple[Integers, UncertainPixels]] = []
        self._scores = 0

    def add(self, labels: Integers, uncertain: UncertainPixels) -> None:
        """Collect the uncertain pixels of an image that were counted in `uncertain.bins`.

        Args:
            labels: (P,) labels of all pixels of the image.
            uncertain: D of these pixels.
        """
        self._parts.append((labels[uncertain.pixels], uncertain))
        self._scores += uncertain.scores.size
        if self._scores > MAX_SCORES:
            self.apply()

    def apply(self) -> None:
        """Move all collected pixels to the bins that follow from the sums of torch."""
        if not self._parts:
            return
        labels = np.concatenate([labels for labels, _ in self._parts])  # (D,)
        columns = zip(*(uncertain for _, uncertain in self._parts), strict=True)
        joined = UncertainPixels(*(np.concatenate(parts, axis=-1) for parts in columns))
        cells = joined.classes, (joined.classes == labels).astype(np.intp)  # (2, D) each
        pixels = (labels != self._ignore).astype(np.int64)
        np.subtract.at(self._margins, (*cells, joined.bins), pixels)
        np.add.at(self._margins, (*cells, joined.find_bins()), pixels)
        self._parts, self._scores = [], 0
