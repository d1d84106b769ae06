"""Counts of small synthetic runs with three classes, two of them seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.scores import score_totals
from benchmark.evaluation.sides import Side

SEEN = (True, True, False)


def make(skill: float, *, seed: int = 0, images: int = 40) -> Counts:
    """Return counts of a run that gets about `skill` of every class right; the other pixels go to the next class."""
    target = np.random.default_rng(99).integers(1, 50, (images, 3))
    return counts_of(np.random.default_rng(seed).binomial(target, skill), target)


def counts_of(both: NDArray[np.int64], target: NDArray[np.int64]) -> Counts:
    """Return counts of these correct and labeled pixels (images, 3); the others are predicted as the next class."""
    prediction = both + np.roll(target - both, 1, axis=1)
    none = np.zeros((3, len(GAMMAS) + 1), dtype=np.int64)
    ids = tuple(f"{number:04}" for number in range(len(target)))
    rows = [sparse.csr_array(matrix) for matrix in (both, prediction, target)]
    confusion = np.diag(both.sum(axis=0)) + np.roll(np.diag((target - both).sum(axis=0)), 1, axis=1)
    return Counts(ids, ("a", "b", "c"), SEEN, rows[0], rows[1], rows[2], none, none, sparse.csr_array(confusion))


def make_even(right: int, *, images: int = 6) -> Counts:
    """Return counts of equal images, with `right` of 100 pixels of every class right: IoU is 100 r / (200 - r)."""
    return counts_of(np.full((images, 3), right), np.full((images, 3), 100))


def make_side(skill: float, *, seeds: Sequence[int] = (0, 1, 2), shift: int = 0) -> Side:
    """Return runs of `make` that are the same for the same skill, seed and shift."""
    return Side({seed: make(skill, seed=seed + shift) for seed in seeds})


def score_rows(counts: Counts, rows: Sequence[int]) -> float:
    """Return the hIoU of some images of a run, by another way than leaving out."""
    arrays = [
        matrix.toarray()[list(rows)].sum(axis=0) for matrix in (counts.intersection, counts.prediction, counts.target)
    ]
    return score_totals(*arrays, seen=SEEN, convention="d2-0.6").hiou
