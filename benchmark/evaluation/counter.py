"""Counts the pixels of one image after the other, whatever method and engine made the scores.

The K x H x W scores are read one class at a time, so that counting needs memory for a few H x W maps only and every
pixel is summed in the same order for any number of threads. Only those maps leave the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from benchmark.evaluation.counts import GAMMAS, Counts, Integers, Matrix, gamma_index
from benchmark.types import ignore_label

BINS = len(GAMMAS) + 1
ZERO = int(np.flatnonzero(GAMMAS == 0)[0])


class Counter:
    """Turns scores and labels into `Counts`.

    Args:
        classes: K different names, in the order of the scores.
        seen: K flags: does the class have masks in training?
        gamma: of `GAMMAS`, the offset at which predictions are counted per image; the sweep has them all.
        ignore: the label of pixels that are not counted; `ignore_label` of the number of classes where None.

    Raises:
        ValueError: flags and classes differ in number, there are no classes, `gamma` is not on the grid, or `ignore`
            is the id of a class.
    """

    def __init__(
        self, classes: Sequence[str], seen: Sequence[bool], *, gamma: float = 0.0, ignore: int | None = None
    ) -> None:
        ignore = ignore_label(len(classes)) if ignore is None else ignore
        if not classes or len(classes) != len(seen):
            raise ValueError(f"{len(seen)} seen flags for {len(classes)} classes: give one per class, at least one")
        if 0 <= ignore < len(classes):
            raise ValueError(f"ignore={ignore} is also the id of class {classes[ignore]!r}: give ignore=65535, say")
        self._threshold = gamma_index(gamma)
        self.classes, self.seen, self.ignore = tuple(classes), tuple(bool(flag) for flag in seen), ignore
        self._seen_ids = [k for k, is_seen in enumerate(self.seen) if is_seen]
        self._unseen_ids = [k for k, is_seen in enumerate(self.seen) if not is_seen]
        self._rows: dict[str, Matrix] = {}
        self._margin_intersection = np.zeros((len(classes), BINS), dtype=np.int64)
        self._margin_prediction = np.zeros((len(classes), BINS), dtype=np.int64)

    def update(self, scores: Tensor, truth: Tensor, *, image_id: str) -> None:
        """Count one image.

        Args:
            scores: (K, H, W) finite floats on any device, higher is likelier, before any calibration. At gamma 0 the
                argmax is the prediction, the first class where several are highest; other gammas take the scores for
                logits.
            truth: (H, W) integers: the id of a class or `ignore`.
            image_id: a name that no other image of this counter has.

        Raises:
            ValueError: anything else, or an image that was counted before; the counter is left as it was.
        """
        self._check_scores(scores, truth, image_id=image_id)
        labels = truth.detach().cpu().numpy().astype(np.int64)
        self._check_labels(labels, image_id=image_id)
        labelled = labels != self.ignore
        self._rows[image_id] = self._count(scores.detach(), labels, labelled=labelled)

    def counts(self) -> Counts:
        """All that was counted so far; images are in the order of their ids, not in that of their arrival."""
        ids = sorted(self._rows)
        empty = sparse.csr_array((0, len(self.classes)), dtype=np.int64)
        rows = sparse.vstack([empty, *(self._rows[name] for name in ids)], format="csr")
        return Counts(
            image_ids=tuple(ids),
            classes=self.classes,
            seen=self.seen,
            intersection=rows[0::3],
            prediction=rows[1::3],
            truth=rows[2::3],
            margin_intersection=self._margin_intersection,
            margin_prediction=self._margin_prediction,
        )

    def _count(self, scores: Tensor, labels: Integers, *, labelled: NDArray[np.bool_]) -> Matrix:
        """Add one image to the margin counts; return its intersection, prediction and truth as (3, K)."""
        truth = labels[labelled]
        if self._seen_ids and self._unseen_ids:
            seen, unseen, bins = self._candidates(scores, labelled=labelled)
            for candidate in (seen, unseen):
                self._add_margins(candidate, truth, bins=bins)
            prediction = np.where(bins > self._threshold, seen, unseen)
        else:
            prediction = _numpy(_best(scores, range(len(self.classes)))[1])[labelled]
        right = truth[prediction == truth]
        rows = [np.bincount(ids, minlength=len(self.classes)) for ids in (right, prediction, truth)]
        counted: Matrix = sparse.csr_array(np.stack(rows).astype(np.int64))
        return counted

    def decide(self, scores: Tensor) -> Integers:
        """The class of every pixel at this counter's gamma: scores (K, H, W) to (H, W)."""
        if not (self._seen_ids and self._unseen_ids):
            return _numpy(_best(scores, range(len(self.classes)))[1])
        everywhere = np.ones(scores.shape[1:], dtype=np.bool_)
        seen, unseen, bins = self._candidates(scores, labelled=everywhere)
        return np.where(bins > self._threshold, seen, unseen).reshape(everywhere.shape)

    def _candidates(self, scores: Tensor, *, labelled: NDArray[np.bool_]) -> tuple[Integers, Integers, Integers]:
        """Best seen class, best unseen class and margin bin of the P labelled pixels, (P,) each."""
        seen_score, seen = _best(scores, self._seen_ids)
        unseen_score, unseen = _best(scores, self._unseen_ids)
        seen_wins = (seen_score > unseen_score) | ((seen_score == unseen_score) & (seen < unseen))
        margin = _numpy(_margin(scores, seen_score, unseen_score))[labelled]
        bins = np.searchsorted(GAMMAS, margin, side="right")
        # the sign comes from the raw scores, so that rounding in the softmax cannot move a pixel across gamma = 0
        bins = np.where(_numpy(seen_wins)[labelled], np.maximum(bins, ZERO + 1), np.minimum(bins, ZERO))
        return _numpy(seen)[labelled], _numpy(unseen)[labelled], bins

    def _add_margins(self, candidate: Integers, truth: Integers, *, bins: Integers) -> None:
        shape = self._margin_prediction.shape
        places = candidate * BINS + bins
        size = shape[0] * shape[1]
        self._margin_prediction += np.bincount(places, minlength=size).reshape(shape)
        self._margin_intersection += np.bincount(places[candidate == truth], minlength=size).reshape(shape)

    def _check_scores(self, scores: Tensor, truth: Tensor, *, image_id: str) -> None:
        if image_id in self._rows:
            raise ValueError(f"image {image_id!r} was counted before: give each image once")
        if scores.ndim != 3 or len(scores) != len(self.classes) or scores.numel() == 0:
            given, classes = tuple(scores.shape), len(self.classes)
            raise ValueError(f"scores of image {image_id!r} have shape {given}, expected ({classes}, H, W)")
        if truth.shape != scores.shape[1:]:
            given, expected = tuple(truth.shape), tuple(scores.shape[1:])
            raise ValueError(f"truth of image {image_id!r} has shape {given}, expected {expected}, that of its scores")
        if not scores.is_floating_point():
            raise ValueError(f"scores of image {image_id!r} are {scores.dtype}, expected floats, not a label map")
        if truth.is_floating_point() or truth.is_complex() or truth.dtype is torch.bool:
            raise ValueError(f"truth of image {image_id!r} is {truth.dtype}, expected integers such as torch.long")
        if not all(bool(torch.isfinite(end)) for end in scores.detach().aminmax()):
            bad = int((~torch.isfinite(scores)).sum())
            raise ValueError(
                f"{bad} of {scores.numel()} scores of image {image_id!r} are not finite: "
                "mask classes with a large negative number, and look for a division by zero or an overflow"
            )

    def _check_labels(self, labels: Integers, *, image_id: str) -> None:
        stray = np.unique(labels[((labels < 0) | (labels >= len(self.classes))) & (labels != self.ignore)])
        if len(stray):
            raise ValueError(
                f"truth of image {image_id!r} has the labels {stray[:5].tolist()}, expected 0 to "
                f"{len(self.classes) - 1} or {self.ignore} to ignore: map the masks to this split's classes"
            )


def _numpy(tensor: Tensor) -> NDArray[np.int64]:
    """The tensor's values on the CPU, in whatever type it has."""
    array: NDArray[np.int64] = tensor.cpu().numpy()
    return array


def _best(scores: Tensor, group: Sequence[int]) -> tuple[Tensor, Tensor]:
    """The highest score among some classes, and the first class that has it.

    Args:
        scores: (K, H, W).
        group: ids of at least one class, ascending.

    Returns:
        The scores (H, W) and the ids (H, W).
    """
    value = scores[group[0]]
    label = torch.full(value.shape, group[0], dtype=torch.int64, device=scores.device)
    for k in group[1:]:
        better = scores[k] > value
        value = torch.where(better, scores[k], value)
        label = label.masked_fill(better, k)
    return value, label


def _margin(scores: Tensor, seen_score: Tensor, unseen_score: Tensor) -> Tensor:
    """p(best seen class) - p(best unseen class), with p the softmax of the scores over all classes.

    Args:
        scores: (K, H, W).
        seen_score: (H, W) the highest score of a seen class.
        unseen_score: (H, W) the highest score of an unseen class.

    Returns:
        (H, W) float64 in -1 … 1, on the CPU.
    """
    dtype = torch.promote_types(scores.dtype, torch.float32)
    top = torch.maximum(seen_score, unseen_score).to(dtype)
    total = torch.zeros_like(top)
    for score in scores:
        total += (score.to(dtype) - top).exp()
    # float64 only here: not every device has it
    seen, unseen = ((score.to(dtype) - top).cpu().double().exp() for score in (seen_score, unseen_score))
    return (seen - unseen) / total.cpu().double()
