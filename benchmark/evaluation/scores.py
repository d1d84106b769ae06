"""Scores from counts: IoU per class, its means over seen, unseen and all classes, their harmonic mean, accuracy.

One set of counts, three conventions. They agree as long as every class occurs in the ground truth, and part where one
does not (a subset, a rare class):

- `d2-main`: Detectron2 since f3c1bc19 (2022-07). A class without ground truth is left out, even if it was predicted.
- `d2-0.6`: Detectron2 up to 0.6, and zsseg, DeOP and ZegFormer after it. A class without ground truth counts as 0
  where it was predicted anywhere, and is left out where it was not.
- `mmseg`: mmsegmentation's `IoUMetric`, as in the ZegCLIP family. Classes as in `d2-0.6`; the printed means and the
  accuracy are rounded to two decimals in percent, and the harmonic mean is taken of the rounded means.

Everything is in percent. A mean over no class is nan, and so is a harmonic mean of which one side is nan: a split
without unseen classes has no hIoU, rather than one of 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.utils.did_you_mean import unknown_name

Convention = Literal["d2-main", "d2-0.6", "mmseg"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)

Metric = Literal["miou_seen", "miou_unseen", "miou", "hiou", "pixel_accuracy"]
METRICS: tuple[Metric, ...] = get_args(Metric)

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.integer[Any]] | Floats


@dataclass(frozen=True)
class Scores:
    """Scores of one run, in percent; nan where not defined.

    Attributes:
        iou: per class, in the order of the classes; nan where the convention leaves the class out.
        miou_seen: mean IoU of the seen classes, S.
        miou_unseen: mean IoU of the unseen classes, U.
        miou: mean IoU of all classes, which is not the mean of S and U.
        hiou: 2SU / (S + U), and 0 where S + U = 0.
        pixel_accuracy: labelled pixels whose class was predicted.
    """

    iou: tuple[float, ...]
    miou_seen: float
    miou_unseen: float
    miou: float
    hiou: float
    pixel_accuracy: float


def score(counts: Counts, convention: Convention) -> Scores:
    """Scores of the raw predictions, at gamma = 0."""
    intersection, prediction, truth = counts.totals()
    return score_totals(intersection, prediction, truth, seen=counts.seen, convention=convention)


def score_totals(
    intersection: Pixels, prediction: Pixels, truth: Pixels, *, seen: Sequence[bool], convention: Convention
) -> Scores:
    """Scores of the counts of a data set, (K,) each, such as `Counts.totals` and `Counts.at_gamma` give."""
    means = summary(intersection, prediction, truth, seen=seen, convention=convention)
    per_class = iou(intersection, prediction, truth, convention=convention)
    return Scores(tuple(per_class.tolist()), **{name: float(value) for name, value in means.items()})


def iou(intersection: Pixels, prediction: Pixels, truth: Pixels, *, convention: Convention) -> Floats:
    """IoU per class in percent, nan where the convention leaves the class out.

    Args:
        intersection: (…, K) pixels; as float64 these may be resampled counts.
        prediction: (…, K).
        truth: (…, K) or (K,).
        convention: which classes take part, see the module.

    Returns:
        (…, K).

    Raises:
        ValueError: the convention is unknown.
    """
    if convention not in CONVENTIONS:
        raise ValueError(unknown_name("convention", convention, CONVENTIONS))
    union = prediction + truth - intersection
    counted = np.broadcast_to(truth > 0, union.shape) if convention == "d2-main" else union > 0
    values: Floats = np.divide(100.0 * intersection, union, out=np.full(union.shape, np.nan), where=counted)
    return values


def summary(
    intersection: Pixels, prediction: Pixels, truth: Pixels, *, seen: Sequence[bool], convention: Convention
) -> dict[Metric, Floats]:
    """The means in percent of many sets of counts at once: (…, K) in, one (…) per metric out, as in `Scores`."""
    per_class = iou(intersection, prediction, truth, convention=convention)
    is_seen = np.array(seen, dtype=bool)
    if is_seen.shape != per_class.shape[-1:]:
        raise ValueError(f"{len(seen)} seen flags for {per_class.shape[-1]} classes: give one per class")
    right, labelled = np.sum(intersection, axis=-1), np.sum(truth, axis=-1)
    seen_mean, unseen_mean = _mean(per_class[..., is_seen]), _mean(per_class[..., ~is_seen])
    mean, accuracy = _mean(per_class), _ratio(100.0 * right, labelled, empty=np.nan)
    if convention == "mmseg":
        rounded = (np.round(value, 2) for value in (seen_mean, unseen_mean, mean, accuracy))
        seen_mean, unseen_mean, mean, accuracy = rounded
    return {
        "miou_seen": seen_mean,
        "miou_unseen": unseen_mean,
        "miou": mean,
        "hiou": _ratio(2 * seen_mean * unseen_mean, seen_mean + unseen_mean, empty=0.0),
        "pixel_accuracy": accuracy,
    }


def gamma_curve(counts: Counts, convention: Convention) -> Floats:
    """(G, 4) the columns gamma, S, U and hIoU in percent, one row for each of `GAMMAS`.

    Gamma is subtracted from the softmax of every seen class. Reading the best hIoU off this curve tunes on the unseen
    test classes: report the curve, or choose gamma elsewhere. Without unseen (seen) classes all rows are alike and
    their U (S) and hIoU are nan.
    """
    means = summary(*counts.sweep(), seen=counts.seen, convention=convention)
    return np.stack([GAMMAS, means["miou_seen"], means["miou_unseen"], means["hiou"]], axis=1)


def seen_unseen_area(curve: Floats) -> float:
    """Area below the seen-unseen curve, 0 to 100: high where some gammas serve both sides. nan if a side is.

    AUSUC (Chao et al. 2016, arXiv 1605.04253) integrates accuracies, which move one way with gamma. IoUs do not (too
    large a gamma spoils U as well), so this is the area of all points (u, s) that some gamma reaches or exceeds on
    both axes: the integral over u of max S(gamma) among the gammas with U(gamma) >= u.

    Args:
        curve: (G, 4) as `gamma_curve` gives it.
    """
    if np.isnan(curve[:, 1:3]).any():
        return float("nan")
    order = np.argsort(curve[:, 2], kind="stable")
    unseen = curve[order, 2]
    reachable = np.maximum.accumulate(curve[order, 1][::-1])[::-1]
    return float(np.sum(reachable * np.diff(unseen, prepend=0.0)) / 100)


def _mean(values: Floats) -> Floats:
    """Mean over the last axis of what is not nan; nan where nothing is left."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1), empty=np.nan)


def _ratio(above: Pixels, below: Pixels, *, empty: float) -> Floats:
    """above / below, and `empty` where below is 0; nan stays nan."""
    values: Floats = np.divide(above, below, out=np.full(np.shape(above), empty), where=below != 0)
    return values
