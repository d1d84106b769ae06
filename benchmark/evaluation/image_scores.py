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

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from benchmark.evaluation.counts import Counts, Integers, Matrix
from benchmark.evaluation.scores import (
    DATASET_METRICS,
    IMAGE_METRICS,
    Convention,
    Floats,
    ImageMetric,
    Metric,
    compute_means,
    score,
)

WORST_PERCENT: dict[ImageMetric, int] = {
    "miou_image_worst_5": 5,
    "miou_image_worst_1": 1,
    "miou_class_worst_5": 5,
    "miou_class_worst_1": 1,
}


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

    def group_classes(self) -> list[Integers]:
        """Return the indices of the values of every class that occurs."""
        order = np.argsort(self.classes, kind="stable")
        starts = np.searchsorted(self.classes[order], np.arange(1, self.shape[1]))
        return [part for part in np.split(order, starts) if len(part)]


def score_metrics(counts: Counts, *, metrics: Collection[Metric], convention: Convention) -> dict[Metric, float]:
    """Return scores of a run by name, those of the dataset and those of the images; see `scores` and this module.

    Raises:
        ValueError: The convention is unknown.
    """
    values: dict[Metric, float] = {}
    if any(metric in metrics for metric in IMAGE_METRICS):
        ious = compute_image_ious(counts)
        values |= {metric: _average(ious, metric=metric) for metric in IMAGE_METRICS if metric in metrics}
    if any(metric in metrics for metric in DATASET_METRICS):
        scores = score(counts, convention)
        values |= {metric: getattr(scores, metric) for metric in DATASET_METRICS}
    return {metric: values[metric] for metric in metrics}


def compute_unrounded_scores(
    counts: Counts, *, metrics: Collection[Metric], convention: Convention
) -> dict[Metric, float]:
    """Return scores of a run by name without the rounding of a convention, for variances and differences.

    Raises:
        ValueError: The convention is unknown.
    """
    values: dict[Metric, float] = {}
    image_metrics = [name for name in IMAGE_METRICS if name in metrics]
    dataset_metrics = [name for name in DATASET_METRICS if name in metrics]
    if image_metrics:
        ious = compute_image_ious(counts)
        values |= {metric: _average(ious, metric=metric) for metric in image_metrics}
    if dataset_metrics:
        means = compute_means(*counts.totals, seen=counts.seen, convention=convention, metrics=dataset_metrics)
        values |= {metric: float(means[metric]) for metric in dataset_metrics}
    return values


def compute_image_ious(counts: Counts) -> ImageIous:
    """Return the IoU of every class in every image that has the class."""
    shape = (len(counts.image_ids), len(counts.classes))
    keys = _list_keys(counts.target)
    intersection = _look_up(counts.intersection, keys)
    union = _look_up(counts.prediction, keys) + counts.target.data - intersection
    return ImageIous(100.0 * intersection / union, keys // shape[1], keys % shape[1], shape)


def leave_out_image_scores(counts: Counts, *, metrics: Collection[ImageMetric]) -> dict[ImageMetric, Floats]:
    """Return scores of N images without each of them in turn, (N,) per metric; nan if nothing is left."""
    if not metrics:
        return {}
    ious = compute_image_ious(counts)
    return {metric: _leave_out(ious, metric=metric) for metric in metrics}


def _average(ious: ImageIous, *, metric: ImageMetric) -> float:
    """Return a score of all images; nan if no image has a labeled pixel."""
    percent = WORST_PERCENT.get(metric, 100)
    if metric.startswith("miou_image"):
        return _average_lowest(ious.average_images()[0], percent=percent)
    means = [_average_lowest(ious.values[part], percent=percent) for part in ious.group_classes()]
    return float(np.mean(means)) if means else math.nan


def _leave_out(ious: ImageIous, *, metric: ImageMetric) -> Floats:
    """Return a score without each image in turn, (N,)."""
    percent = WORST_PERCENT.get(metric, 100)
    if metric.startswith("miou_image"):
        values, labeled = ious.average_images()
        scores = np.full(ious.shape[0], _average_lowest(values, percent=percent))
        scores[labeled] = _leave_out_lowest(values, percent=percent)
        return scores

    # Sum over the classes, and number of classes that are left, without each image
    groups = ious.group_classes()
    sums, left = np.zeros(ious.shape[0]), np.full(ious.shape[0], len(groups))
    for part in groups:
        whole = _average_lowest(ious.values[part], percent=percent)
        without = _leave_out_lowest(ious.values[part], percent=percent)
        sums += whole
        sums[ious.images[part]] += np.nan_to_num(without) - whole
        left[ious.images[part]] -= np.isnan(without)
    means: Floats = np.divide(sums, left, out=np.full(len(sums), np.nan), where=left > 0)
    return means


def _average_lowest(values: Floats, *, percent: int) -> float:
    """Return the mean of the lowest values; nan if there is none."""
    return float(np.sort(values)[: _count_lowest(len(values), percent)].mean()) if len(values) else math.nan


def _leave_out_lowest(values: Floats, *, percent: int) -> Floats:
    """Return the mean of the lowest values without each value in turn, (m,); nan if there is a single value."""
    if len(values) < 2:
        return np.full(len(values), np.nan)
    order = np.argsort(values, kind="stable")
    number = _count_lowest(len(values) - 1, percent)
    lowest = values[order[: number + 1]]  # the last of these is in the mean only if another is left out
    means = np.full(len(values), lowest[:number].mean())
    means[order[:number]] = (lowest.sum() - lowest[:number]) / number
    return means


def _count_lowest(values: int, percent: int) -> int:
    return max(1, values * percent // 100)


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
