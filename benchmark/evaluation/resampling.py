"""Resampling of images: scores of the same runs on many drawings of the images.

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
from benchmark.evaluation.image_scores import resample_image_scores
from benchmark.evaluation.scores import (
    DATASET_METRICS,
    IMAGE_METRICS,
    Convention,
    DatasetMetric,
    Floats,
    Metric,
    compute_means,
)

REPLICATES = 2000

CHUNK_PIXELS = 2**14
"""Resampled sums of pixels held at once, so that they fit the processor's cache."""


@dataclass(frozen=True, eq=False)
class ImageBootstrap:
    """Scores of runs on drawings of the images, computed once per run; all runs get the same drawings.

    Attributes:
        metrics: Scores that are computed together, which takes hardly longer than one of them.
        replicates: Number of drawings.
        seed: Seed of the drawings.
        known: Run and its scores so far by score and convention, by the identity of its counts.
    """

    metrics: tuple[Metric, ...] = ()
    replicates: int = REPLICATES
    seed: int = 0
    known: dict[int, tuple[Counts, dict[tuple[Metric, Convention], Floats]]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        if self.replicates < 2:
            raise ValueError(f"replicates is {self.replicates}, expected at least 2, such as {REPLICATES}")

    def draw(self, runs: Sequence[Counts], *, metric: Metric, convention: Convention) -> Floats:
        """Return the score of every run on every drawing, (runs, replicates).

        Args:
            runs: Counts on the same images and labels.
            metric: Score.
            convention: Convention of the score.
        """
        new = [run for run in runs if (metric, convention) not in self._look_up(run)]
        metrics = self.metrics if metric in self.metrics else (metric,)
        if new:
            weights = draw_weights(self.seed, len(new[0].image_ids), replicates=self.replicates)
            drawn = resample_scores(new, weights, metrics=metrics, convention=convention)
            for index, run in enumerate(new):
                self._look_up(run).update({(name, convention): scores[index] for name, scores in drawn.items()})
        return np.stack([self._look_up(run)[metric, convention] for run in runs])

    def _look_up(self, run: Counts) -> dict[tuple[Metric, Convention], Floats]:
        """Return what is known of a run; the entry keeps the run alive, so that its identity stays its own."""
        return self.known.setdefault(id(run), (run, {}))[1]


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
    drawn: dict[Metric, Floats] = {}
    image_metrics = [metric for metric in IMAGE_METRICS if metric in metrics]
    dataset_metrics = [metric for metric in DATASET_METRICS if metric in metrics]
    if image_metrics:
        parts = [resample_image_scores(run, weights, metrics=image_metrics) for run in runs]
        drawn |= {metric: np.stack([part[metric] for part in parts]) for metric in image_metrics}
    if dataset_metrics:
        drawn |= _resample_dataset_scores(runs, weights, metrics=dataset_metrics, convention=convention)
    return drawn


def _resample_dataset_scores(
    runs: Sequence[Counts], weights: NDArray[np.int32], *, metrics: Sequence[DatasetMetric], convention: Convention
) -> dict[DatasetMetric, Floats]:
    """Return the scores of the counts of the whole dataset, see `resample_scores`."""
    replicates, classes, seen = weights.shape[1], len(runs[0].classes), runs[0].seen

    # Counts side by side, ((2 runs + 1) K, N): one product per chunk is cheaper than one per run and count
    counts = [matrix for run in runs for matrix in (run.intersection, run.prediction)]
    columns: Any = sparse.hstack([runs[0].target, *counts], format="csr").astype(np.float64).T

    chunk = max(1, CHUNK_PIXELS // columns.shape[0])
    drawn: dict[DatasetMetric, Floats] = {metric: np.empty((len(runs), replicates)) for metric in metrics}
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
def draw_weights(seed: int, images: int, *, replicates: int) -> NDArray[np.int32]:
    """Return how often each image is drawn in each replicate, which draws as many images as there are.

    All rows of a table share the drawing, so that it is made once.

    Args:
        seed: Seed of the stream of bits.
        images: Number of images.
        replicates: Number of replicates.

    Returns:
        (images, replicates), read-only.
    """
    bits = np.random.PCG64(seed)
    weights = np.empty((images, replicates), dtype=np.int32)
    for replicate in range(replicates):
        weights[:, replicate] = np.bincount(_draw_integers(bits, images, count=images), minlength=images)
    weights.setflags(write=False)
    return weights


def _draw_integers(bits: np.random.PCG64, high: int, *, count: int) -> NDArray[np.int64]:
    """Return integers in [0, high): remainders of 64 bits, whose bias is below high / 2^64."""
    raw = np.asarray(bits.random_raw(count), dtype=np.uint64)
    return (raw % np.uint64(high)).astype(np.int64)
