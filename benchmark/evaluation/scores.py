"""Scores from counts: IoU per class, its means over seen, unseen and all classes, their harmonic mean, accuracy.

There are three conventions. They agree if every class occurs in the ground truth, and differ if one does not (a subset
of the images, a rare class):

- `d2-main`: Detectron2 since f3c1bc19 (2022-07). A class without ground truth is left out, even if it was predicted.
- `d2-0.6`: Detectron2 up to 0.6, and after it zsseg, DeOP and ZegFormer. A class without ground truth counts as 0 if it
  was predicted anywhere, and is left out if it was not.
- `mmseg`: mmsegmentation's `IoUMetric`, as in the ZegCLIP family. Classes as in `d2-0.6`; the printed means and the
  accuracy are rounded to two decimals in percent, and the harmonic mean is that of the rounded means. Variances,
  differences and ranks are those of `compute_means`, which never rounds: steps of 0.01 would hide what one image
  changes.

Everything is in percent. A mean over no class is nan, and so is a harmonic mean with a nan side: a split without unseen
classes has no hIoU, rather than one of 0.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.utils.did_you_mean import explain_unknown_name

Convention = Literal["d2-main", "d2-0.6", "mmseg"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
ROUNDED: frozenset[Convention] = frozenset({"mmseg"})
"""Conventions that round the means that they print."""

DatasetMetric = Literal["miou_seen", "miou_unseen", "miou", "hiou", "pixel_accuracy"]
ImageMetric = Literal[
    "miou_image",
    "miou_image_worst_5",
    "miou_image_worst_1",
    "miou_class",
    "miou_class_worst_5",
    "miou_class_worst_1",
]
Metric = Literal[DatasetMetric, ImageMetric]
DATASET_METRICS: tuple[DatasetMetric, ...] = get_args(DatasetMetric)
"""Scores of the counts of the whole dataset, the fields of `Scores`."""
IMAGE_METRICS: tuple[ImageMetric, ...] = get_args(ImageMetric)
"""Scores of the counts of every image, see `image_scores`."""
METRICS: tuple[Metric, ...] = (*DATASET_METRICS, *IMAGE_METRICS)

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.integer[Any]] | Floats


@dataclass(frozen=True)
class Scores:
    """Scores of one run, in percent; nan if not defined.

    Attributes:
        iou: IoU per class, in the order of the classes; nan if the convention leaves the class out.
        miou_seen: Mean IoU of the seen classes, S.
        miou_unseen: Mean IoU of the unseen classes, U.
        miou: Mean IoU of all classes, which is not the mean of S and U.
        hiou: 2SU / (S + U), and 0 if S + U = 0.
        pixel_accuracy: Share of the labeled pixels whose class was predicted.
    """

    iou: tuple[float, ...]
    miou_seen: float
    miou_unseen: float
    miou: float
    hiou: float
    pixel_accuracy: float


def score(counts: Counts, convention: Convention) -> Scores:
    """Score the predictions of a run at the gamma they were counted with."""
    intersection, prediction, target = counts.totals
    return score_totals(intersection, prediction, target, seen=counts.seen, convention=convention)


def score_totals(
    intersection: Pixels, prediction: Pixels, target: Pixels, *, seen: Sequence[bool], convention: Convention
) -> Scores:
    """Score the counts of a dataset, such as `Counts.totals` and `Counts.count_at_gamma` give them.

    Args:
        intersection: (K,) pixels predicted and labeled as the class.
        prediction: (K,) pixels predicted as the class.
        target: (K,) pixels labeled as the class.
        seen: K flags: whether the class has masks in training.
        convention: Convention of classes without ground truth, see the module.
    """
    per_class = compute_iou(intersection, prediction, target, convention=convention)
    means = _average_classes(per_class, intersection, target, seen=seen, metrics=DATASET_METRICS)
    means = _round_as_printed(means, convention)
    return Scores(tuple(per_class.tolist()), **{name: float(value) for name, value in means.items()})


def compute_iou(intersection: Pixels, prediction: Pixels, target: Pixels, *, convention: Convention) -> Floats:
    """Return the IoU per class in percent, nan if the convention leaves the class out.

    Args:
        intersection: (…, K) pixels; float64 if counts are resampled.
        prediction: (…, K) pixels.
        target: (…, K) or (K,) pixels.
        convention: Convention of classes without ground truth, see the module.

    Returns:
        (…, K).

    Raises:
        ValueError: The convention is unknown.
    """
    if convention not in CONVENTIONS:
        raise ValueError(explain_unknown_name("convention", convention, CONVENTIONS))
    union = prediction + target - intersection
    is_counted = target > 0 if convention == "d2-main" else union > 0
    values: Floats = np.divide(100.0 * intersection, union, out=np.full(union.shape, np.nan), where=is_counted)
    return values


def compute_means(
    intersection: Pixels,
    prediction: Pixels,
    target: Pixels,
    *,
    seen: Sequence[bool],
    convention: Convention,
    metrics: Collection[DatasetMetric] = DATASET_METRICS,
) -> dict[DatasetMetric, Floats]:
    """Return the means in percent of many sets of counts at once, as in `Scores` but never rounded.

    Args:
        intersection: (…, K) pixels; float64 if counts are resampled.
        prediction: (…, K) pixels.
        target: (…, K) or (K,) pixels.
        seen: K flags: whether the class has masks in training.
        convention: Convention of classes without ground truth, see the module.
        metrics: Metrics to compute.

    Returns:
        (…) per metric.

    Raises:
        ValueError: The convention is unknown, or there are not K flags.
    """
    per_class = compute_iou(intersection, prediction, target, convention=convention)  # (…, K)
    return _average_classes(per_class, intersection, target, seen=seen, metrics=metrics)


def _average_classes(
    per_class: Floats,
    intersection: Pixels,
    target: Pixels,
    *,
    seen: Sequence[bool],
    metrics: Collection[DatasetMetric],
) -> dict[DatasetMetric, Floats]:
    """Return the means over classes, and the accuracy, of IoUs (…, K), see `compute_means`."""
    is_seen = np.array(seen, dtype=bool)
    if is_seen.shape != per_class.shape[-1:]:
        raise ValueError(f"{len(seen)} seen flags for {per_class.shape[-1]} classes: give one per class")
    means: dict[DatasetMetric, Floats] = {
        "miou_seen": _average_defined(per_class[..., is_seen]),
        "miou_unseen": _average_defined(per_class[..., ~is_seen]),
    }
    means["hiou"] = _average_harmonically(means["miou_seen"], means["miou_unseen"])
    if "miou" in metrics:
        means["miou"] = _average_defined(per_class)
    if "pixel_accuracy" in metrics:
        correct, labeled = np.sum(intersection, axis=-1), np.sum(target, axis=-1)
        means["pixel_accuracy"] = _divide(100.0 * correct, labeled, empty=np.nan)
    return {metric: means[metric] for metric in metrics}


def compute_gamma_curve(counts: Counts, convention: Convention) -> Floats:
    """Return the scores at each of `GAMMAS`.

    Gamma is subtracted from the softmax of every seen class. Reading the best hIoU off this curve tunes on the unseen
    test classes: report the curve, or choose gamma elsewhere. Without unseen (seen) classes all rows are equal and
    their U (S) and hIoU are nan.

    Returns:
        (G, 4) with the columns gamma, S, U and hIoU in percent.
    """
    means = compute_means(*counts.sweep_gammas(), seen=counts.seen, convention=convention)
    means = _round_as_printed(means, convention)
    return np.stack([GAMMAS, means["miou_seen"], means["miou_unseen"], means["hiou"]], axis=1)


def compute_seen_unseen_area(curve: Floats) -> float:
    """Return the area below the seen-unseen curve, 0 to 100: high if some gammas serve both sides.

    AUSUC (Chao et al. 2016, arXiv 1605.04253) integrates accuracies, which are monotonic in gamma. IoUs are not (too
    large a gamma spoils U as well), so this is the area of all points (u, s) that some gamma reaches or exceeds on
    both axes: the integral over u of max S(gamma) among the gammas with U(gamma) >= u.

    Args:
        curve: (G, 4) as `compute_gamma_curve` gives it; a nan side makes the area nan.
    """
    if np.isnan(curve[:, 1:3]).any():
        return float("nan")
    order = np.argsort(curve[:, 2], kind="stable")
    unseen = curve[order, 2]
    reachable = np.maximum.accumulate(curve[order, 1][::-1])[::-1]
    return float(np.sum(reachable * np.diff(unseen, prepend=0.0)) / 100)


def _round_as_printed(means: dict[DatasetMetric, Floats], convention: Convention) -> dict[DatasetMetric, Floats]:
    """Return all means (…) as a convention prints them; hIoU is that of the printed S and U."""
    if convention not in ROUNDED:
        return means
    printed = {metric: np.round(value, 2) for metric, value in means.items()}
    return printed | {"hiou": _average_harmonically(printed["miou_seen"], printed["miou_unseen"])}


def _average_harmonically(seen_mean: Floats, unseen_mean: Floats) -> Floats:
    """Return the harmonic mean of S and U, 0 if both are; nan if one is not defined."""
    return _divide(2 * seen_mean * unseen_mean, seen_mean + unseen_mean, empty=0.0)


def _average_defined(values: Floats) -> Floats:
    """Return the mean over the last axis of the values that are not nan; nan if none is left."""
    is_defined = ~np.isnan(values)
    return _divide(np.where(is_defined, values, 0.0).sum(axis=-1), is_defined.sum(axis=-1), empty=np.nan)


def _divide(numerator: Pixels, denominator: Pixels, *, empty: float) -> Floats:
    """Return numerator / denominator, and `empty` where the denominator is 0; nan stays nan."""
    values: Floats = np.divide(numerator, denominator, out=np.full(np.shape(numerator), empty), where=denominator != 0)
    return values
