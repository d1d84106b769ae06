"""Scores of runs without each of their images in turn, which the variance over images is estimated from.

The delete-one jackknife (Efron and Stein 1981, Annals of Statistics 9, 586-596) needs no random numbers and one score
an image. For a mean IoU, whose classes occur in few images each, its variance is nearer to the true one than that of
the bootstrap, which is too small; CALIBRATION.md has both. Sums of pixels are whole numbers and exact. No convention
rounds these scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np

from benchmark.evaluation.counts import Counts, Integers, Matrix
from benchmark.evaluation.image_scores import compute_unrounded_scores, leave_out_image_scores, score_metrics
from benchmark.evaluation.scores import (
    DATASET_METRICS,
    IMAGE_METRICS,
    ROUNDED,
    Convention,
    DatasetMetric,
    Floats,
    Metric,
    Scores,
    compute_means,
)

Value = TypeVar("Value", float, Floats)

CHUNK_PIXELS = 2**17
"""Sums of pixels held at once, so that they fit the processor's cache."""


@dataclass(frozen=True, eq=False)
class KnownScores:
    """Scores of a run so far, each by metric and convention.

    Attributes:
        run: Counts of the run, which its scores keep alive, so that its identity stays its own.
        left_out: (N,) scores without each of the N images.
        whole: Scores of all images, never rounded.
        printed: Scores of all images as the convention prints them.
    """

    run: Counts
    left_out: dict[tuple[Metric, Convention], Floats] = field(default_factory=dict, repr=False)
    whole: dict[tuple[Metric, Convention], float] = field(default_factory=dict)
    printed: dict[tuple[Metric, Convention], float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ImageJackknife:
    """Scores of runs with all of their images and without each of them, computed once per run.

    Attributes:
        metrics: Scores that are computed together, which takes hardly longer than one of them.
        known: Scores so far by the identity of the counts.
    """

    metrics: tuple[Metric, ...] = ()
    known: dict[int, KnownScores] = field(default_factory=dict, repr=False)

    def keep(self, run: Counts, scores: Scores, left_out: Mapping[Metric, Floats], *, convention: Convention) -> None:
        """Keep scores of a run that were computed before.

        Args:
            run: Counts of the run.
            scores: Scores of all images, as the convention prints them.
            left_out: (N,) scores without each of the N images by metric, see `leave_out_scores`.
            convention: Convention of both.
        """
        known = self._get_known(run)
        values: dict[tuple[Metric, Convention], float] = {
            (metric, convention): getattr(scores, metric) for metric in DATASET_METRICS
        }
        known.printed.update(values)
        known.left_out.update({(metric, convention): without for metric, without in left_out.items()})
        if convention not in ROUNDED:
            known.whole.update(values)

    def leave_out(self, run: Counts, *, metric: Metric, convention: Convention) -> Floats:
        """Return the (N,) score of a run without each of its N images; nan if not defined."""
        return self._look_up(self._get_known(run).left_out, run, leave_out_scores, metric=metric, convention=convention)

    def compute_score(self, run: Counts, *, metric: Metric, convention: Convention) -> float:
        """Return the score of all images of a run, never rounded; nan if not defined."""
        return self._look_up(
            self._get_known(run).whole, run, compute_unrounded_scores, metric=metric, convention=convention
        )

    def compute_printed_score(self, run: Counts, *, metric: Metric, convention: Convention) -> float:
        """Return the score of all images of a run as its convention prints it; nan if not defined."""
        return self._look_up(self._get_known(run).printed, run, score_metrics, metric=metric, convention=convention)

    def _get_known(self, run: Counts) -> KnownScores:
        known = self.known.get(id(run))
        return self.known.setdefault(id(run), KnownScores(run)) if known is None else known

    def _look_up(
        self,
        known: dict[tuple[Metric, Convention], Value],
        run: Counts,
        compute: Callable[..., Mapping[Metric, Value]],
        *,
        metric: Metric,
        convention: Convention,
    ) -> Value:
        """Return a known score of a run; one that is not known is computed with all that are computed together."""
        if (metric, convention) not in known:
            metrics = self.metrics if metric in self.metrics else (metric,)
            values = compute(run, metrics=metrics, convention=convention)
            known.update({(name, convention): value for name, value in values.items()})
        return known[metric, convention]


def leave_out_scores(run: Counts, *, metrics: Sequence[Metric], convention: Convention) -> dict[Metric, Floats]:
    """Return the scores of a run without each of its N images in turn, (N,) per metric; nan if not defined.

    Raises:
        ValueError: The convention is unknown.
    """
    image_metrics = [metric for metric in IMAGE_METRICS if metric in metrics]
    dataset_metrics = [metric for metric in DATASET_METRICS if metric in metrics]
    scores: dict[Metric, Floats] = {}
    scores.update(leave_out_image_scores(run, metrics=image_metrics).items())
    if dataset_metrics:
        scores.update(_leave_out_dataset_scores(run, metrics=dataset_metrics, convention=convention).items())
    return scores


def _leave_out_dataset_scores(
    run: Counts, *, metrics: Sequence[DatasetMetric], convention: Convention
) -> dict[DatasetMetric, Floats]:
    """Return the scores of the counts of the whole dataset without each image, see `leave_out_scores`."""
    images, totals = len(run.image_ids), run.totals
    chunk = max(1, CHUNK_PIXELS // len(run.classes))
    scores: dict[DatasetMetric, Floats] = {metric: np.empty(images) for metric in metrics}
    for start in range(0, images, chunk):
        # Pixels per class without each image of the chunk, (chunk, K)
        part = slice(start, start + chunk)
        intersection = totals.intersection - _select_images(run.intersection, part)
        prediction = totals.prediction - _select_images(run.prediction, part)
        target = totals.target - _select_images(run.target, part)
        means = compute_means(intersection, prediction, target, seen=run.seen, convention=convention, metrics=metrics)
        for metric in metrics:
            scores[metric][part] = means[metric]
    return scores


def _select_images(matrix: Matrix, part: slice) -> Integers:
    """Return some rows of a matrix as a dense array; all of them without a copy of the matrix, which takes longest."""
    is_whole = part.start == 0 and part.stop >= matrix.shape[0]
    return np.asarray((matrix if is_whole else matrix[part]).toarray())
