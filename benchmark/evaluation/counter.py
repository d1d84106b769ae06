"""Pixel counter: turns the logits of one image after the other into counts, whatever method and engine made them.

Logits are read one class at a time, so that counting needs memory for a few (H, W) maps only, even if a prediction
computes its logits lazily, and every pixel is summed in the same order for any number of threads. Only those maps leave
the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from benchmark.core.lazy_scores import AnyPrediction, ScoreMaps, compute_label_map, find_best_classes, get_score_maps
from benchmark.core.types import get_ignore_label
from benchmark.evaluation.counts import GAMMAS, Counts, Integers, Matrix, find_gamma

BINS = len(GAMMAS) + 1
ZERO = int(np.flatnonzero(GAMMAS == 0)[0])


class LogitsError(ValueError):
    """The logits of a prediction are not such that pixels can be counted; target and image are not at fault."""


class Counter:
    """Counter of labeled pixels by class, image and margin.

    Args:
        classes: K different names, in the order of the logits.
        seen: K flags: whether the class has masks in training.
        gamma: Offset, one of `GAMMAS`, at which predictions are counted per image; the sweep covers all of them.
        ignore: Label of pixels that are not counted; None for `get_ignore_label` of the number of classes.

    Raises:
        ValueError: Flags and classes differ in number, there are no classes, `gamma` is not on the grid, or `ignore` is
            the id of a class.
    """

    def __init__(
        self, classes: Sequence[str], seen: Sequence[bool], *, gamma: float = 0.0, ignore: int | None = None
    ) -> None:
        ignore = get_ignore_label(len(classes)) if ignore is None else ignore
        if not classes or len(classes) != len(seen):
            raise ValueError(f"{len(seen)} seen flags for {len(classes)} classes: give one per class, at least one")
        if 0 <= ignore < len(classes):
            raise ValueError(f"ignore={ignore} is also the id of class {classes[ignore]!r}: give ignore=65535, say")
        self._threshold = find_gamma(gamma)
        self.classes, self.seen, self.ignore = tuple(classes), tuple(bool(flag) for flag in seen), ignore
        groups = [[k for k, is_seen in enumerate(self.seen) if is_seen is wanted] for wanted in (True, False)]
        self._groups = [group for group in groups if group]
        self._rows: dict[str, Matrix] = {}
        self._margin_intersection = np.zeros((len(classes), BINS), dtype=np.int64)
        self._margin_prediction = np.zeros((len(classes), BINS), dtype=np.int64)
        self._confusion = np.zeros((len(classes), len(classes)), dtype=np.int64)

    def update(self, prediction: AnyPrediction, target: Tensor, *, image_id: str) -> None:
        """Count one image.

        Args:
            prediction: Prediction, or its logits (K, H, W): finite floats on any device, higher is likelier, before any
                calibration. At gamma 0 the label is the argmax, the first class if several are highest; other gammas
                apply a softmax to the logits.
            target: (H, W) integers: the id of a class or `ignore`.
            image_id: Name that no other image of this counter has.

        Raises:
            LogitsError: Shape, type or values of the logits are not those above; the counter is left unchanged.
            ValueError: Type or values of the target are not those above, or the image was counted before; the counter
                is left unchanged.
        """
        maps = get_score_maps(prediction)
        self._check_shapes(maps, target, image_id=image_id)
        labels = target.detach().cpu().numpy().astype(np.int64)
        self._check_labels(labels, image_id=image_id)
        self._rows[image_id] = self._count(maps, labels, image_id=image_id)

    def restore(self, counts: Counts) -> None:
        """Go on from counts that another counter of the same arguments had computed; this one has counted nothing yet.

        Raises:
            ValueError: The classes are others.
        """
        if (counts.classes, counts.seen) != (self.classes, self.seen):
            raise ValueError("counts of other classes cannot be restored: count all images again")
        for index, name in enumerate(counts.image_ids):
            rows = (counts.intersection[[index]], counts.prediction[[index]], counts.target[[index]])
            self._rows[name] = sparse.vstack(rows, format="csr")
        self._margin_intersection = counts.margin_intersection.copy()
        self._margin_prediction = counts.margin_prediction.copy()
        self._confusion = counts.confusion.toarray()

    def compute(self) -> Counts:
        """Return the counts of all images so far, ordered by image id and not by arrival."""
        ids = sorted(self._rows)
        empty = sparse.csr_array((0, len(self.classes)), dtype=np.int64)
        rows = sparse.vstack([empty, *(self._rows[name] for name in ids)], format="csr")  # (3 N, K)
        return Counts(
            image_ids=tuple(ids),
            classes=self.classes,
            seen=self.seen,
            intersection=rows[0::3],
            prediction=rows[1::3],
            target=rows[2::3],
            margin_intersection=self._margin_intersection,
            margin_prediction=self._margin_prediction,
            confusion=sparse.csr_array(self._confusion),
        )

    def predict_labels(self, prediction: AnyPrediction) -> Integers:
        """Return the class of every pixel at the gamma of this counter.

        Args:
            prediction: Prediction, or its logits (K, H, W).

        Returns:
            (H, W) ids of classes.
        """
        if self._threshold == ZERO or len(self._groups) == 1:
            return _to_numpy(compute_label_map(prediction))
        maps = get_score_maps(prediction)
        everywhere = np.ones(maps.shape[1:], dtype=np.bool_)
        seen, unseen, bins = _find_candidates(maps, find_best_classes(maps, self._groups), is_labeled=everywhere)
        return np.where(bins > self._threshold, seen, unseen).reshape(everywhere.shape)  # (H W,) to (H, W)

    def _count(self, maps: ScoreMaps, labels: Integers, *, image_id: str) -> Matrix:
        """Add one image to the margin counts and the confusion, and return its counts per class.

        Args:
            maps: (H, W) logits of each of the K classes.
            labels: (H, W) ids of classes, or `ignore`.
            image_id: Name of the image, for error messages.

        Returns:
            (3, K) intersection, prediction and target.
        """
        # Best seen and best unseen class of every pixel, (H, W) each
        highest = find_best_classes(_check_finite(maps, image_id=image_id), self._groups)

        # The P labeled pixels
        is_labeled = labels != self.ignore  # (H, W)
        target = labels[is_labeled]  # (P,)

        # Predicted class at this counter's gamma, (P,), and margin counts for every gamma
        if len(self._groups) == 2:
            seen, unseen, bins = _find_candidates(maps, highest, is_labeled=is_labeled)
            for candidate in (seen, unseen):
                self._add_margins(candidate, target, bins=bins)
            prediction = np.where(bins > self._threshold, seen, unseen)
        else:
            prediction = _to_numpy(highest[0][1])[is_labeled]

        # Pixels by target and prediction, (K, K)
        size = len(self.classes)
        pairs = np.bincount(target * size + prediction, minlength=size * size).reshape(size, size)
        self._confusion += pairs

        # Pixels per class: intersection, prediction and target, (K,) each
        rows = (pairs.diagonal(), pairs.sum(axis=0), pairs.sum(axis=1))
        counts: Matrix = sparse.csr_array(np.stack(rows).astype(np.int64))  # (3, K)
        return counts

    def _add_margins(self, candidate: Integers, target: Integers, *, bins: Integers) -> None:
        """Add pixels to the margin counts.

        Args:
            candidate: (P,) best class of one group.
            target: (P,) labeled class.
            bins: (P,) margin bin.
        """
        shape = self._margin_prediction.shape  # (K, BINS)
        size = shape[0] * shape[1]
        cells = candidate * BINS + bins  # (P,) flat indices into (K, BINS)
        self._margin_prediction += np.bincount(cells, minlength=size).reshape(shape)
        self._margin_intersection += np.bincount(cells[candidate == target], minlength=size).reshape(shape)

    def _check_shapes(self, maps: ScoreMaps, target: Tensor, *, image_id: str) -> None:
        if image_id in self._rows:
            raise ValueError(f"image {image_id!r} was counted before: give each image once")
        shape, classes = maps.shape, len(self.classes)
        if len(shape) != 3 or shape[0] != classes or 0 in shape:
            raise LogitsError(
                f"logits of image {image_id!r} have shape {shape}, expected ({classes}, H, W): one map for each of the "
                f"{classes} classes"
            )
        if target.shape != shape[1:]:
            actual, expected = shape[1:], tuple(target.shape)
            raise LogitsError(
                f"logits of image {image_id!r} have height and width {actual}, expected {expected} like its target: "
                "resize them"
            )
        if target.is_floating_point() or target.is_complex() or target.dtype is torch.bool:
            raise ValueError(f"target of image {image_id!r} is {target.dtype}, expected integers such as torch.long")

    def _check_labels(self, labels: Integers, *, image_id: str) -> None:
        unknown = np.unique(labels[((labels < 0) | (labels >= len(self.classes))) & (labels != self.ignore)])
        if len(unknown):
            raise ValueError(
                f"target of image {image_id!r} has the labels {unknown[:5].tolist()}, expected 0 to "
                f"{len(self.classes) - 1} or {self.ignore} to ignore: map the masks to this split's classes"
            )


def _to_numpy(tensor: Tensor) -> NDArray[np.int64]:
    """Return the values of a tensor on the CPU, in the type they have."""
    array: NDArray[np.int64] = tensor.cpu().numpy()
    return array


def _check_finite(maps: ScoreMaps, *, image_id: str) -> Iterator[Tensor]:
    """Yield the (H, W) maps of all classes.

    Raises:
        LogitsError: Logits are not floats, or, after the last map, some are not finite.
    """
    bad = 0
    for chunk in maps.chunks():  # (k, H, W)
        if not chunk.is_floating_point():
            raise LogitsError(f"logits of image {image_id!r} are {chunk.dtype}, expected floats, not a label map")
        if not all(bool(torch.isfinite(end)) for end in chunk.aminmax()):
            bad += int((~torch.isfinite(chunk)).sum())
        yield from chunk
    if bad:
        raise LogitsError(
            f"{bad} of {math.prod(maps.shape)} logits of image {image_id!r} are not finite: "
            "mask classes with a large negative number, and look for a division by zero or an overflow"
        )


def _find_candidates(
    maps: Iterable[Tensor], highest: Sequence[tuple[Tensor, Tensor]], *, is_labeled: NDArray[np.bool_]
) -> tuple[Integers, Integers, Integers]:
    """Return best seen class, best unseen class and margin bin of the P labeled pixels.

    Args:
        maps: (H, W) logits of each of the K classes.
        highest: Logit and id, (H, W) each, of the best seen and of the best unseen class.
        is_labeled: (H, W) whether the pixel has a label.

    Returns:
        (P,) each; the bin is the number of `GAMMAS` at which the seen class still wins.
    """
    (seen_logit, seen), (unseen_logit, unseen) = highest

    # Whether the argmax is a seen class, (H, W); of equal logits the first class wins
    seen_wins = (seen_logit > unseen_logit) | ((seen_logit == unseen_logit) & (seen < unseen))

    # Bin of the difference of probabilities, (P,)
    margin = _to_numpy(_compute_margin(maps, seen_logit, unseen_logit))[is_labeled]
    bins = np.searchsorted(GAMMAS, margin, side="right")

    # Sign from the logits, so that rounding in the softmax cannot move a pixel across gamma = 0
    bins = np.where(_to_numpy(seen_wins)[is_labeled], np.maximum(bins, ZERO + 1), np.minimum(bins, ZERO))
    return _to_numpy(seen)[is_labeled], _to_numpy(unseen)[is_labeled], bins


def _compute_margin(maps: Iterable[Tensor], seen_logit: Tensor, unseen_logit: Tensor) -> Tensor:
    """Return p(best seen class) - p(best unseen class), where p is the softmax of the logits over all classes.

    Args:
        maps: (H, W) logits of each of the K classes.
        seen_logit: (H, W) highest logit of a seen class.
        unseen_logit: (H, W) highest logit of an unseen class.

    Returns:
        (H, W) float64 in -1 … 1, on the CPU.
    """
    dtype = torch.promote_types(seen_logit.dtype, torch.float32)
    highest = torch.maximum(seen_logit, unseen_logit).to(dtype)  # (H, W), subtracted so that exp cannot overflow

    # Denominator of the softmax, one class at a time
    total = torch.zeros_like(highest)
    for logit in maps:
        total += (logit.to(dtype) - highest).exp_()

    # float64 on the CPU only: not every device has it
    seen, unseen = ((logit.to(dtype) - highest).cpu().double().exp() for logit in (seen_logit, unseen_logit))
    return (seen - unseen) / total.cpu().double()
