"""Signs in pixel counts that a result is not what it seems: chance scores, mixed-up class ids, classes never predicted.

All follow from the pixel counts and hold for any method. They are meant to be silent on honest results, also on bad
ones, so that every alarm deserves a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmark.evaluation.alarm import Alarm
from benchmark.evaluation.counts import Counts, Integers

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

CHANCE_RATIO, CHANCE_EXCESS = 1.25, 0.05
"""A score is near chance up to this multiple of chance and up to this share of the way from chance to a perfect one."""
SHIFT_RATIO, SHIFT_GAIN = 2.0, 0.02
"""Factor and difference by which undoing a shift of the class ids must improve mIoU."""
EXCHANGE_RATIO, EXCHANGE_IOU = 3.0, 0.2
"""Factor by which undoing an exchange must improve the IoU of a class, and the least IoU that it must then have."""
BEYOND_CHANCE = 3.0
"""Factor over chance that the overlap of a class with predictions of another must have to mean anything."""
MIN_IMAGES = 5
"""Images in which a class must occur before its errors count as a sign of anything."""
SINGLE_CLASS_SHARE = 0.9
"""Share of the images of several classes that must be predicted as one class each to count as a sign of anything."""
TIE = 0.1
"""Share by which an exchange must explain more than a shift to be named instead of it."""


class _Confusion(NamedTuple):
    """A confusion matrix with what follows from it.

    Attributes:
        target: (K,) pixels by target.
        prediction: (K,) pixels by prediction.
        iou: (K, K) IoU of the pixels of a class and the predictions of another; the diagonal is the IoU of the classes.
        own: (K,) that diagonal.
        rival: (K,) the highest IoU of a class with the predictions of another.
        occurs: (K,) whether a class occurs in the target.
        is_frequent: (K,) whether it occurs in at least `MIN_IMAGES` images.
    """

    target: Integers
    prediction: Integers
    iou: Floats
    own: Floats
    rival: Floats
    occurs: Flags
    is_frequent: Flags

    def compute_chance(self, predicted: Integers) -> Floats:
        """Return the (K,) IoU of the classes with the predictions of others if these were independent of the target."""
        target, prediction = self.target, self.prediction[predicted]
        common = target * (prediction / max(1, target.sum()))
        return np.asarray(common / np.maximum(target + prediction - common, 1))


def find_alarms(counts: Counts) -> list[Alarm]:
    """Return the alarms that counts give, the most serious first; none for counts without a labeled pixel."""
    confusion = _summarize(counts)
    predicted = np.flatnonzero(confusion.prediction)
    if len(predicted) == 1 and confusion.occurs.sum() > 1:
        return [Alarm("every pixel is predicted as the same class", names=(counts.classes[int(predicted[0])],))]
    alarms = _find_other_ids(confusion, counts.classes) + _find_single_classes(counts)
    missing = confusion.is_frequent & (confusion.prediction == 0)
    is_seen = np.array(counts.seen)
    for group, flags in (("seen", is_seen), ("unseen", ~is_seen)):
        members = confusion.is_frequent & flags
        if not members.any():
            continue
        alarms += _find_unpredicted(confusion, flags, group=group) or _find_chance(confusion, flags, group=group)
        if missing[members].all():
            missing = missing & ~members
    return alarms + _find_missing(confusion, missing, counts.classes)


def compute_chance(target: Integers, prediction: Integers, members: Flags) -> float:
    """Return the best mIoU of a group of classes that is expected without looking at the images.

    It is the largest of four: one class of the group everywhere; classes drawn with equal probability, with the
    frequencies of the targets, and with those of the predictions. With shares f of the targets and q of the
    predictions, drawing gives an IoU of f q / (f + q - f q) for a class.

    Args:
        target: (K,) pixels by target, at least one.
        prediction: (K,) pixels by prediction.
        members: (K,) whether a class belongs to the group; at least one does, and all of them occur in the target.
    """
    shares = target / target.sum()
    drawn = [np.full_like(shares, 1 / len(shares)), shares, prediction / prediction.sum()]
    expected = [(shares * q / (shares + q - shares * q + 1e-300))[members].mean() for q in drawn]
    return float(max(*expected, shares[members].max() / members.sum()))


def _summarize(counts: Counts) -> _Confusion:
    pixels = counts.confusion.toarray()
    _, prediction, target = counts.totals
    iou = pixels / np.maximum(target[:, None] + prediction[None] - pixels, 1)
    own = iou.diagonal()
    images = np.bincount(counts.target.indices, minlength=len(own))
    rival = (iou - np.diag(own)).max(axis=1)
    return _Confusion(target, prediction, iou, own, rival, target > 0, images >= MIN_IMAGES)


def _find_unpredicted(confusion: _Confusion, flags: Flags, *, group: str) -> list[Alarm]:
    """Return an alarm if no frequent class of a group is predicted, which may still hold for rare ones."""
    members, occurring = confusion.is_frequent & flags, confusion.occurs & flags
    if confusion.prediction[members].any():
        return []
    if confusion.prediction[occurring].any():
        summary = f"no {group} class in {MIN_IMAGES} or more images is ever predicted"
        return [Alarm(summary, "{} of {} classes", (int(members.sum()), int(occurring.sum())))]
    return [Alarm(f"no {group} class is ever predicted", "in the target: {}", (int(occurring.sum()),))]


def _find_chance(confusion: _Confusion, flags: Flags, *, group: str) -> list[Alarm]:
    """Return an alarm if the frequent classes of a group score as if the images had not been looked at."""
    members, occurring = confusion.is_frequent & flags, confusion.occurs & flags
    score = confusion.own[members].mean()
    chance = compute_chance(confusion.target, confusion.prediction, members)
    if score > min(CHANCE_RATIO * chance, chance + CHANCE_EXCESS * (1 - chance)):
        return []
    wording, values = "{}, and {} without looking at the images", (100 * float(score), 100 * chance)
    if np.array_equal(members, occurring):
        return [Alarm(f"mIoU of the {group} classes is near chance", wording, values)]
    summary = f"mIoU of the {group} classes in {MIN_IMAGES} or more images is near chance"
    return [Alarm(summary, f"{wording}; {{}} of {{}} classes", (*values, int(members.sum()), int(occurring.sum())))]


def _find_missing(confusion: _Confusion, missing: Flags, classes: Sequence[str]) -> list[Alarm]:
    names = tuple(classes[k] for k in np.flatnonzero(missing).tolist())
    if not names:
        return []
    is_rare_missing = (confusion.occurs & ~confusion.is_frequent & (confusion.prediction == 0)).any()
    place = f" in {MIN_IMAGES} or more images" if is_rare_missing else ""
    return [Alarm(f"classes that occur{place} are never predicted", names=names)]


def _find_single_classes(counts: Counts) -> list[Alarm]:
    """Return an alarm if images are classified, not segmented: nearly all of several classes get a single one."""
    targets, predictions = (np.diff(matrix.indptr) for matrix in (counts.target, counts.prediction))  # classes, (N,)
    single, several = int(np.sum((targets > 1) & (predictions == 1))), int(np.sum(targets > 1))
    if several < MIN_IMAGES or single < SINGLE_CLASS_SHARE * several:
        return []
    return [Alarm("images of several classes are predicted as one class each", "{} of {} images", (single, several))]


def _find_other_ids(confusion: _Confusion, classes: Sequence[str]) -> list[Alarm]:
    """Return an alarm if class ids look mixed up: shifted, unless an exchange explains more."""
    found = [alarm for alarm in (_find_shift(confusion), _find_exchange(confusion, classes)) if alarm is not None]
    return [max(found, key=lambda alarm: alarm[0])[1]] if found else []


def _find_shift(confusion: _Confusion) -> tuple[float, Alarm] | None:
    """Return mIoU without a shift, and an alarm; None if there is no sign of a shift.

    The sign is another cyclic shift of the predicted ids that scores far better for at least half of the classes. A
    shift of 1 is what a background class in front of the others leaves behind.
    """
    size, occurs = len(confusion.target), confusion.occurs
    if occurs.sum() < 3 or np.mean((confusion.rival > confusion.own)[occurs]) < 0.5:
        return None
    ids = np.arange(size)
    predicted = (ids[None] + ids[:, None]) % size  # (K shifts, K): predicted id of a class
    miou = confusion.iou[ids[None], predicted][:, occurs].mean(axis=1)  # (K,)
    shift = int(miou.argmax())
    shifted = predicted[shift]
    share_better = np.mean((confusion.iou[ids, shifted] > confusion.own)[occurs])
    chance = confusion.compute_chance(shifted)[occurs].mean()
    if share_better < 0.5 or miou[shift] < max(SHIFT_RATIO * miou[0], miou[0] + SHIFT_GAIN, BEYOND_CHANCE * chance):
        return None
    signed = shift if shift <= size // 2 else shift - size
    values = (100 * float(miou[shift]), 100 * float(miou[0]))
    wording = "mIoU {} instead of {} if the shift is undone"
    return float(miou[shift]), Alarm(f"predicted class ids look shifted by {signed:+d}", wording, values)


def _find_exchange(confusion: _Confusion, classes: Sequence[str]) -> tuple[float, Alarm] | None:
    """Return mIoU without an exchange, and an alarm; None if there is no sign of an exchange.

    The sign is a cycle of classes that score far better with each other's predicted ids. One-sided confusions are none:
    in a cycle of two or three every class must gain, in a longer one half of them, since some classes are never found
    and the last one of a shifted range has lost its predictions.
    """
    own, rival = confusion.own, confusion.rival
    least = np.maximum(EXCHANGE_RATIO * own, EXCHANGE_IOU)
    if np.sum((rival >= least) & confusion.is_frequent) < 2:
        return None
    from scipy.optimize import linear_sum_assignment  # slow to import, and seldom needed

    _, best = linear_sum_assignment(confusion.iou + 1e-9 * np.eye(len(own)), maximize=True)
    values = confusion.iou[np.arange(len(own)), best]
    is_far = values >= np.maximum(least, BEYOND_CHANCE * confusion.compute_chance(best))
    gains = is_far & confusion.is_frequent
    cycles = [cycle for cycle in _list_cycles(best.tolist()) if _is_exchange(gains[cycle])]
    exchanged = [k for cycle in cycles for k in cycle]
    if not exchanged:
        return None
    undone = own.copy()
    undone[exchanged] = values[exchanged]
    miou, before = (iou[confusion.occurs].mean() for iou in (undone, own))
    names = tuple(f"{classes[k]} as {classes[best[k]]}" for k in exchanged)
    wording, scores = "mIoU {} instead of {} if the exchange is undone", (100 * float(miou), 100 * float(before))
    return (1 - TIE) * float(miou), Alarm("predicted class ids look exchanged", wording, scores, names)


def _is_exchange(gains: Flags) -> bool:
    """Return whether a cycle of classes is an exchange, from which of its classes gain."""
    return len(gains) > 1 and bool(gains.mean() >= (0.5 if len(gains) > 3 else 1.0))


def _list_cycles(permutation: Sequence[int]) -> list[list[int]]:
    """Return the cycles of a permutation, each from its lowest member on."""
    cycles: list[list[int]] = []
    visited: set[int] = set()
    for start in range(len(permutation)):
        cycle: list[int] = []
        k = start
        while k not in visited:
            visited.add(k)
            cycle.append(k)
            k = permutation[k]
        if cycle:
            cycles.append(cycle)
    return cycles
