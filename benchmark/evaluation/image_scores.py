"""Scores that weigh images or classes alike, and their worst cases (Wang et al. 2023, arXiv 2310.19252).

The IoU of a class in an image counts if the image has pixels labeled as the class. Percentages q are those of the
paper, 5 and 1; of m values the worst q % are the max(1, floor(q m / 100)) lowest, as in the official code
(github.com/zifuwanggg/JDTLosses, metrics/miouic_metric.py at af6c1f6).

- `miou_image`, mIoU^I: mean over the images of the mean over the classes in the image.
- `miou_class`, mIoU^C: mean over the classes of the mean over the images with the class.
- `miou_image_worst_q`: mean over the worst q % of the images.
- `miou_class_worst_q`: mean over the classes of the mean over the worst q % of the images with the class.

Images without a labeled pixel and classes without any count nowhere. The three conventions of `scores` agree on these
scores, and nothing is rounded. Everything is in percent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.evaluation.counts import Counts, Integers, Matrix
from benchmark.evaluation.scores import DATASET_METRICS, IMAGE_METRICS, Convention, Floats, ImageMetric, Metric, score

Weights: TypeAlias = NDArray[np.integer[Any]]

WORST_PERCENT: dict[ImageMetric, int] = {
    "miou_image_worst_5": 5,
    "miou_image_worst_1": 1,
    "miou_class_worst_5": 5,
    "miou_class_worst_1": 1,
}
CHUNK_VALUES = 2**22
"""Weighted values held at once, 32 MiB an array."""


@dataclass(frozen=True, eq=False)
class ImageIous:
    """IoU of every class in every image that has the class, in percent.

    Attributes:
        values: (V,) IoUs, by image and then class.
        images: (V,) index of the image.
        classes: (V,) index of the class.
        shape: Numbers of images and classes.
    """

    values: Floats
    images: Integers
    classes: Integers
    shape: tuple[int, int]

    def average_images(self) -> tuple[Floats, Integers]:
        """Return the mean IoU of every image with a labeled pixel, and the indices of these images."""
        present = np.bincount(self.images, minlength=self.shape[0])
        sums = np.bincount(self.images, weights=self.values, minlength=self.shape[0])
        labeled = np.flatnonzero(present)
        return sums[labeled] / present[labeled], labeled


def score_metrics(counts: Counts, *, metrics: Collection[Metric], convention: Convention) -> dict[Metric, float]:
    """Return scores of a run by name, those of the dataset and those of the images; see `scores` and this module.

    Raises:
        ValueError: The convention is unknown.
    """
    image_metrics = [metric for metric in IMAGE_METRICS if metric in metrics]
    everyone = np.ones((len(counts.image_ids), 1), dtype=np.int64)
    drawn = resample_image_scores(counts, everyone, metrics=image_metrics)
    values: dict[Metric, float] = {metric: float(scores[0]) for metric, scores in drawn.items()}
    if any(metric in metrics for metric in DATASET_METRICS):
        scores = score(counts, convention)
        values |= {metric: getattr(scores, metric) for metric in DATASET_METRICS}
    return {metric: values[metric] for metric in metrics}


def compute_image_ious(counts: Counts) -> ImageIous:
    """Return the IoU of every class in every image that has the class."""
    shape = (len(counts.image_ids), len(counts.classes))
    keys = _list_keys(counts.target)
    intersection = _look_up(counts.intersection, keys)
    union = _look_up(counts.prediction, keys) + counts.target.data - intersection
    return ImageIous(100.0 * intersection / union, keys // shape[1], keys % shape[1], shape)


def resample_image_scores(
    counts: Counts, weights: Weights, *, metrics: Collection[ImageMetric]
) -> dict[ImageMetric, Floats]:
    """Return scores on drawings of the images.

    Args:
        counts: Counts of N images.
        weights: (N, B) how often each image was drawn.
        metrics: Scores.

    Returns:
        (B,) per metric; nan if no drawn image has a labeled pixel.
    """
    if not metrics:
        return {}
    ious = compute_image_ious(counts)
    return {metric: _resample(ious, weights, metric=metric) for metric in metrics}


def _resample(ious: ImageIous, weights: Weights, *, metric: ImageMetric) -> Floats:
    percent = WORST_PERCENT.get(metric)
    if metric.startswith("miou_image"):
        values, labeled = ious.average_images()
        return _average_worst(values, weights[labeled], percent=percent)
    if percent is None:
        return _average_classes(ious, weights)
    order = np.argsort(ious.classes, kind="stable")
    starts = np.searchsorted(ious.classes[order], np.arange(1, ious.shape[1]))
    rows = [part for part in np.split(order, starts) if len(part)]
    means = (_average_worst(ious.values[part], weights[ious.images[part]], percent=percent) for part in rows)
    return _average_defined(means, size=weights.shape[1])


def _average_classes(ious: ImageIous, weights: Weights) -> Floats:
    """Return the mean over the classes of the weighted mean over the images with the class, (B,)."""
    places = (ious.classes, ious.images)
    sums: Any = sparse.csr_array((ious.values, places), shape=ious.shape[::-1])
    present: Any = sparse.csr_array((np.ones_like(ious.values), places), shape=ious.shape[::-1])
    means = np.empty(weights.shape[1])
    chunk = max(1, CHUNK_VALUES // max(1, ious.shape[1]))
    for start in range(0, len(means), chunk):
        part = weights[:, start : start + chunk].astype(np.float64)
        times = present @ part  # (K, chunk)
        per_class = np.divide(sums @ part, times, out=np.zeros_like(times), where=times > 0)
        classes = (times > 0).sum(axis=0)
        total = per_class.sum(axis=0)
        means[start : start + chunk] = np.divide(total, classes, out=np.full(len(total), np.nan), where=classes > 0)
    return means


def _average_worst(values: Floats, weights: Weights, *, percent: int | None) -> Floats:
    """Return the mean of the lowest values of every drawing.

    Args:
        values: (m,).
        weights: (m, B) how often each value was drawn.
        percent: Percentage of the drawn values that are averaged; None for all.

    Returns:
        (B,), nan if no value was drawn.
    """
    order = np.argsort(values, kind="stable")
    means = np.empty(weights.shape[1])
    chunk = max(1, CHUNK_VALUES // max(1, len(values)))
    for start in range(0, len(means), chunk):
        part = weights[order, start : start + chunk].astype(np.int64)
        drawn = part.sum(axis=0)
        if percent is not None:
            before = part.cumsum(axis=0) - part
            drawn = np.minimum(drawn, np.maximum(1, drawn * percent // 100))
            part = np.clip(drawn - before, 0, part)
        sums = values[order] @ part
        means[start : start + chunk] = np.divide(sums, drawn, out=np.full(len(sums), np.nan), where=drawn > 0)
    return means


def _average_defined(rows: Iterable[Floats], *, size: int) -> Floats:
    """Return the mean of those rows of (size,) that are not nan, element by element."""
    sums, times = np.zeros(size), np.zeros(size)
    for row in rows:
        is_defined = ~np.isnan(row)
        sums[is_defined] += row[is_defined]
        times += is_defined
    means: Floats = np.divide(sums, times, out=np.full(size, np.nan), where=times > 0)
    return means


def _list_keys(matrix: Matrix) -> Integers:
    """Return image * K + class of every stored entry, ascending."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return np.asarray(rows * matrix.shape[1] + matrix.indices, dtype=np.int64)


def _look_up(matrix: Matrix, keys: Integers) -> Integers:
    """Return the entries of a matrix at these keys, 0 where none is stored."""
    stored = np.append(_list_keys(matrix), -1)
    data = np.append(matrix.data, 0)
    places = np.searchsorted(stored[:-1], keys)
    return np.where(stored[places] == keys, data[places], 0)
