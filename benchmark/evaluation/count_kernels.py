"""Compiled loops that count labeled pixels, see `pixel_counts`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.compiled import compile_function

Integers = NDArray[np.int64]
Labels = NDArray[np.int32]


def has_unknown_labels(labels: Integers, *, classes: int, ignore: int) -> bool:
    """Return whether a label (P,) is neither below the number of classes nor `ignore`."""
    return bool(_has_unknown(labels, classes, ignore))


def count_pairs(labels: Integers, prediction: Labels, *, classes: int, ignore: int) -> Integers:
    """Return the numbers (K, K) of labeled pixels by label (P,) and predicted class (P,)."""
    pairs = np.zeros((classes, classes), dtype=np.int64)
    _count_pairs(labels, prediction, ignore, pairs)
    return pairs


def count_candidates(
    labels: Integers, classes: Labels, bins: Labels, *, threshold: int, ignore: int, margins: Integers
) -> Integers:
    """Return the same numbers for the first of two classes (2, P) if the bin is above a threshold, else the second.

    Both classes are added to the numbers (K, 2, B) by class, by whether it is the label, and by bin.
    """
    pairs = np.zeros((len(margins), len(margins)), dtype=np.int64)
    _count_candidates(labels, classes, bins, threshold, ignore, margins, pairs)
    return pairs


@compile_function
def _has_unknown(labels: Any, classes: Any, ignore: Any) -> Any:
    number = 0
    for i in range(len(labels)):
        label = labels[i]
        number += ((label < 0) | (label >= classes)) & (label != ignore)
    return number


@compile_function
def _count_pairs(labels: Any, prediction: Any, ignore: Any, pairs: Any) -> None:
    for i in range(len(labels)):
        if labels[i] != ignore:
            pairs[labels[i], prediction[i]] += 1


@compile_function
def _count_candidates(
    labels: Any, classes: Any, bins: Any, threshold: Any, ignore: Any, margins: Any, pairs: Any
) -> None:
    for i in range(len(labels)):
        label = labels[i]
        if label != ignore:
            first, second, place = classes[0, i], classes[1, i], bins[i]
            margins[first, int(first == label), place] += 1
            margins[second, int(second == label), place] += 1
            pairs[label, first if place > threshold else second] += 1
