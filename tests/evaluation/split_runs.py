"""Counts of small synthetic runs on several splits of six classes, two of them unseen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.pooling import PooledDifference, compare_over_splits
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.sides import Side

CLASSES = 6
UNSEEN = ((0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (1, 2), (1, 3), (1, 4), (1, 5), (2, 3))


def counts_on(split: int, both: NDArray[np.int64], target: NDArray[np.int64]) -> Counts:
    """Return counts of these correct and labeled pixels (images, 6); the others are predicted as the next class."""
    wrong = target - both
    none = np.zeros((CLASSES, len(GAMMAS) + 1), dtype=np.int64)
    ids, names = (tuple(f"{number:03}" for number in range(size)) for size in target.shape)
    seen = tuple(index not in UNSEEN[split] for index in range(CLASSES))
    confusion = np.diag(both.sum(axis=0)) + np.roll(np.diag(wrong.sum(axis=0)), 1, axis=1)
    rows = [sparse.csr_array(matrix) for matrix in (both, both + np.roll(wrong, 1, axis=1), target)]
    return Counts(ids, names, seen, rows[0], rows[1], rows[2], none, none, sparse.csr_array(confusion))


def even_run(split: int, right: int, *, images: int = 6) -> Counts:
    """Return counts of equal images, with `right` of 100 pixels of every class right: IoU is 100 r / (200 - r)."""
    return counts_on(split, np.full((images, CLASSES), right), np.full((images, CLASSES), 100))


def even_sides(rights: Sequence[Sequence[int]], *, is_deterministic: bool = False, shift: int = 10) -> dict[str, Side]:
    """Return runs of `even_run`, a sequence of seeds for each split; with a shift of 0, they are the same on all."""
    return {
        f"s{split}": Side(
            {shift * split + seed: even_run(split, right) for seed, right in enumerate(seeds)}, is_deterministic
        )
        for split, seeds in enumerate(rights)
    }


def table_sides(right: NDArray[np.int64]) -> dict[str, Side]:
    """Return runs of accuracy `right` on each image (splits, seeds, images), in percent; no seed is on two splits."""
    pad = np.zeros((right.shape[2], CLASSES - 1), dtype=np.int64)

    def run(split: int, own: NDArray[np.int64]) -> Counts:
        return counts_on(split, np.column_stack([own, pad]), np.column_stack([np.full(len(own), 100), pad]))

    return {
        f"s{split}": Side({10 * split + seed: run(split, own) for seed, own in enumerate(seeds)})
        for split, seeds in enumerate(right)
    }


def pool(a: Mapping[str, Side], b: Mapping[str, Side], *, metric: Metric = "hiou") -> PooledDifference:
    return compare_over_splits(a, b, metric=metric, convention="d2-main")


def iou(right: float) -> float:
    return 100 * right / (200 - right)
