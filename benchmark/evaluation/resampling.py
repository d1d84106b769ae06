"""Resampling of images and runs: scores of the same runs on many drawings of the images.

Drawings use the raw 64-bit stream of PCG64, which numpy promises to keep, and not its distributions, which may change:
so the same counts give the same numbers on every machine and version. Resampled counts are summed in float64, where
whole numbers are exact up to 2^53.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import Convention, Floats, Metric, compute_means

CHUNK_PIXELS = 2**14
"""Resampled sums of pixels held at once, so that they fit the processor's cache."""


@dataclass(frozen=True)
class PairedResampler:
    """Scores of runs on resampled images, those of the reference computed once per drawing.

    Attributes:
        metric: Score.
        convention: Convention of the score.
        replicates: Number of drawings.
        seed: Seed of the drawing.
        known: (runs, replicates) scores of the reference, by the numbers of the stream used before the images.
    """

    metric: Metric
    convention: Convention
    replicates: int
    seed: int
    known: dict[int, Floats] = field(default_factory=dict)

    def draw_differences(self, a: Sequence[Counts], reference: Sequence[Counts]) -> Floats:
        """Return the difference of the mean scores of a and of the reference in every replicate, (replicates,)."""
        # Runs of each side, (replicates, runs of the side)
        bits = np.random.PCG64(self.seed)
        picks = _draw_integers(bits, len(a), shape=(self.replicates, len(a)))
        skip, reference_picks = picks.size, picks
        if len(a) != len(reference):
            reference_picks = _draw_integers(bits, len(reference), shape=(self.replicates, len(reference)))
            skip += reference_picks.size

        # Scores, (runs of the side, replicates), on images drawn from the rest of the same stream
        scores = self._resample(a, skip=skip)
        if skip not in self.known:
            self.known[skip] = self._resample(reference, skip=skip)
        return _average_picked(scores, picks) - _average_picked(self.known[skip], reference_picks)

    def _resample(self, runs: Sequence[Counts], *, skip: int) -> Floats:
        weights = draw_weights(self.seed, len(runs[0].image_ids), replicates=self.replicates, skip=skip)
        return resample_scores(runs, weights, metrics=[self.metric], convention=self.convention)[self.metric]


def resample_scores(
    runs: Sequence[Counts], weights: NDArray[np.int32], *, metrics: Sequence[Metric], convention: Convention
) -> dict[Metric, Floats]:
    """Return the scores of every run on every drawing of the images.

    Args:
        runs: Counts of N images and K classes each.
        weights: (N, replicates) how often each image was drawn.
        metrics: Scores.
        convention: Convention of the scores.

    Returns:
        (runs, replicates) per metric.
    """
    replicates, classes, seen = weights.shape[1], len(runs[0].classes), runs[0].seen

    # Counts side by side, ((2 runs + 1) K, N): one product per chunk is cheaper than one per run and count
    counts = [matrix for run in runs for matrix in (run.intersection, run.prediction)]
    columns: Any = sparse.hstack([runs[0].target, *counts], format="csr").astype(np.float64).T

    chunk = max(1, CHUNK_PIXELS // columns.shape[0])
    drawn: dict[Metric, Floats] = {metric: np.empty((len(runs), replicates)) for metric in metrics}
    for start in range(0, replicates, chunk):
        # Sums of pixels over the drawn images, (count, 2 runs + 1, K)
        part = slice(start, start + chunk)
        sums: Floats = (columns @ weights[:, part].astype(np.float64)).T
        sums = sums.reshape(len(sums), -1, classes)

        # Scores of every run, (count, runs) per metric
        target, intersection, prediction = sums[:, :1], sums[:, 1::2], sums[:, 2::2]
        means = compute_means(intersection, prediction, target, seen=seen, convention=convention, metrics=metrics)
        for metric in metrics:
            drawn[metric][:, part] = means[metric].T
    return drawn


@lru_cache(maxsize=2)
def draw_weights(seed: int, images: int, *, replicates: int, skip: int = 0) -> NDArray[np.int32]:
    """Return how often each image is drawn in each replicate, which draws as many images as there are.

    All rows of a table share the drawing, so that it is made once.

    Args:
        seed: Seed of the stream of bits.
        images: Number of images.
        replicates: Number of replicates.
        skip: Numbers of the stream that were used before.

    Returns:
        (images, replicates), read-only.
    """
    bits = np.random.PCG64(seed)
    bits.advance(skip)
    weights = np.empty((images, replicates), dtype=np.int32)
    for replicate in range(replicates):
        weights[:, replicate] = np.bincount(_draw_integers(bits, images, shape=(1, images))[0], minlength=images)
    weights.setflags(write=False)
    return weights


def _draw_integers(bits: np.random.PCG64, high: int, *, shape: tuple[int, int]) -> NDArray[np.int64]:
    """Return integers in [0, high), of this shape: remainders of 64 bits, whose bias is below high / 2^64."""
    raw = np.asarray(bits.random_raw(shape[0] * shape[1]), dtype=np.uint64)
    return (raw % np.uint64(high)).astype(np.int64).reshape(shape)


def _average_picked(drawn: Floats, picks: NDArray[np.int64]) -> Floats:
    """Return the mean over the picked runs in every replicate.

    Args:
        drawn: (runs, replicates) scores.
        picks: (replicates, runs) indices of runs.

    Returns:
        (replicates,).
    """
    means: Floats = np.take_along_axis(drawn.T, picks, axis=1).mean(axis=1)
    return means
