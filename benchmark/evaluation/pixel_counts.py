"""Numbers of labeled pixels by label, prediction and margin: by compiled loops, or by NumPy if Numba does not work."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.core.full_size_scores import load_kernels
from benchmark.evaluation.candidates import Candidates
from benchmark.evaluation.counts import Integers
from benchmark.evaluation.margin_bins import Labels


def has_unknown_labels(labels: Integers, *, classes: int, ignore: int) -> bool:
    """Return whether a label is neither the id of a class nor `ignore`.

    Args:
        labels: (P,) labels.
        classes: Number of classes.
        ignore: Label of pixels that are not counted.
    """
    if load_kernels() is not None:
        is_unknown: bool = _import_kernels().has_unknown_labels(labels, classes=classes, ignore=ignore)
        return is_unknown
    return bool(((labels.view(np.uint64) >= classes) & (labels != ignore)).any())  # as negative numbers wrap around


def count_pairs(labels: Integers, prediction: Labels, *, classes: int, ignore: int) -> Integers:
    """Return the number of labeled pixels (K K,) by label times K plus predicted class.

    Args:
        labels: (P,) ids of the K classes, or `ignore`.
        prediction: (P,) ids of classes.
        classes: Number of classes K.
        ignore: Label of pixels that are not counted.
    """
    if load_kernels() is not None:
        pairs: Integers = _import_kernels().count_pairs(labels, _to_int32(prediction), classes=classes, ignore=ignore)
        return pairs.ravel()
    counted: Integers = (labels * classes + prediction)[labels != ignore]
    return np.bincount(counted, minlength=classes * classes)


def count_candidates(
    labels: Integers, candidates: Candidates, *, threshold: int, ignore: int, margins: Integers
) -> Integers:
    """Count the candidates of labeled pixels by margin, and return the numbers `count_pairs` of the chosen ones.

    Args:
        labels: (P,) ids of the K classes, or `ignore`.
        candidates: Candidates of P pixels, with bins below B.
        threshold: Index of the gamma at which one of the candidates is chosen.
        ignore: Label of pixels that are not counted.
        margins: (K, 2, B) numbers of pixels by best class, by whether it is the label, and by margin bin; added to.
    """
    classes, bins = candidates.classes.reshape(2, -1), candidates.bins.ravel()  # (2, P), (P,)
    if load_kernels() is not None:
        pairs: Integers = _import_kernels().count_candidates(
            *(labels, _to_int32(classes), _to_int32(bins)), threshold=threshold, ignore=ignore, margins=margins
        )
        return pairs.ravel()
    cells = (2 * classes + (classes == labels)) * margins.shape[2] + bins  # (2, P) flat indices
    margins += np.bincount(cells[:, labels != ignore].ravel(), minlength=margins.size).reshape(margins.shape)
    return count_pairs(labels, candidates.choose(threshold).ravel(), classes=len(margins), ignore=ignore)


def _import_kernels() -> Any:
    from benchmark.evaluation import count_kernels  # not above: it needs Numba

    return count_kernels


def _to_int32(numbers: Labels) -> NDArray[np.int32]:
    """Return contiguous int32, the one type that loops are compiled for."""
    return np.ascontiguousarray(numbers, dtype=np.int32)
