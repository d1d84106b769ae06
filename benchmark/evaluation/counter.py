"""Counts the pixels of one image after the other, whatever method and engine made the scores.

The scores are read one class at a time, so that counting needs memory for a few H x W maps only, also where a
prediction makes them no earlier, and every pixel is summed in the same order for any number of threads. Only those maps
leave the device.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import sparse
from torch import Tensor

from benchmark.core.lazy_scores import Answer, ScoreMaps, best, label_map, score_maps
from benchmark.core.types import ignore_label
from benchmark.evaluation.counts import GAMMAS, Counts, Integers, Matrix, gamma_index

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
        groups = [[k for k, is_seen in enumerate(self.seen) if is_seen is wanted] for wanted in (True, False)]
        self._groups = [group for group in groups if group]
        self._rows: dict[str, Matrix] = {}
        self._margin_intersection = np.zeros((len(classes), BINS), dtype=np.int64)
        self._margin_prediction = np.zeros((len(classes), BINS), dtype=np.int64)

    def update(self, answer: Answer, truth: Tensor, *, image_id: str) -> None:
        """Count one image.

        Args:
            answer: a prediction, or its scores (K, H, W): finite floats on any device, higher is likelier, before any
                calibration. At gamma 0 the argmax is the prediction, the first class where several are highest; other
                gammas take the scores for logits.
            truth: (H, W) integers: the id of a class or `ignore`.
            image_id: a name that no other image of this counter has.

        Raises:
            ValueError: anything else, or an image that was counted before; the counter is left as it was.
        """
        maps = score_maps(answer)
        self._check_shapes(maps, truth, image_id=image_id)
        labels = truth.detach().cpu().numpy().astype(np.int64)
        self._check_labels(labels, image_id=image_id)
        self._rows[image_id] = self._count(maps, labels, image_id=image_id)

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

    def decide(self, answer: Answer) -> Integers:
        """The class of every pixel at this counter's gamma: a prediction, or scores (K, H, W), to (H, W)."""
        if self._threshold == ZERO or len(self._groups) == 1:
            return _numpy(label_map(answer))
        maps = score_maps(answer)
        everywhere = np.ones(maps.shape[1:], dtype=np.bool_)
        seen, unseen, bins = _candidates(maps, best(maps, self._groups), labelled=everywhere)
        return np.where(bins > self._threshold, seen, unseen).reshape(everywhere.shape)

    def _count(self, maps: ScoreMaps, labels: Integers, *, image_id: str) -> Matrix:
        """Add one image to the margin counts; return its intersection, prediction and truth as (3, K)."""
        found = best(_finite(maps, image_id=image_id), self._groups)
        labelled = labels != self.ignore
        truth = labels[labelled]
        if len(self._groups) == 2:
            seen, unseen, bins = _candidates(maps, found, labelled=labelled)
            for candidate in (seen, unseen):
                self._add_margins(candidate, truth, bins=bins)
            prediction = np.where(bins > self._threshold, seen, unseen)
        else:
            prediction = _numpy(found[0][1])[labelled]
        right = truth[prediction == truth]
        rows = [np.bincount(ids, minlength=len(self.classes)) for ids in (right, prediction, truth)]
        counted: Matrix = sparse.csr_array(np.stack(rows).astype(np.int64))
        return counted

    def _add_margins(self, candidate: Integers, truth: Integers, *, bins: Integers) -> None:
        shape = self._margin_prediction.shape
        places = candidate * BINS + bins
        size = shape[0] * shape[1]
        self._margin_prediction += np.bincount(places, minlength=size).reshape(shape)
        self._margin_intersection += np.bincount(places[candidate == truth], minlength=size).reshape(shape)

    def _check_shapes(self, maps: ScoreMaps, truth: Tensor, *, image_id: str) -> None:
        if image_id in self._rows:
            raise ValueError(f"image {image_id!r} was counted before: give each image once")
        shape, classes = maps.shape, len(self.classes)
        if len(shape) != 3 or shape[0] != classes or 0 in shape:
            raise ValueError(f"scores of image {image_id!r} have shape {shape}, expected ({classes}, H, W)")
        if truth.shape != shape[1:]:
            given, expected = tuple(truth.shape), shape[1:]
            raise ValueError(f"truth of image {image_id!r} has shape {given}, expected {expected}, that of its scores")
        if truth.is_floating_point() or truth.is_complex() or truth.dtype is torch.bool:
            raise ValueError(f"truth of image {image_id!r} is {truth.dtype}, expected integers such as torch.long")

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


def _finite(maps: ScoreMaps, *, image_id: str) -> Iterator[Tensor]:
    """The maps; raises ValueError, at the end at the latest, where their scores are no finite floats."""
    bad = 0
    for chunk in maps.chunks():
        if not chunk.is_floating_point():
            raise ValueError(f"scores of image {image_id!r} are {chunk.dtype}, expected floats, not a label map")
        if not all(bool(torch.isfinite(end)) for end in chunk.aminmax()):
            bad += int((~torch.isfinite(chunk)).sum())
        yield from chunk
    if bad:
        raise ValueError(
            f"{bad} of {math.prod(maps.shape)} scores of image {image_id!r} are not finite: "
            "mask classes with a large negative number, and look for a division by zero or an overflow"
        )


def _candidates(
    maps: Iterable[Tensor], found: Sequence[tuple[Tensor, Tensor]], *, labelled: NDArray[np.bool_]
) -> tuple[Integers, Integers, Integers]:
    """Best seen class, best unseen class and margin bin of the P labelled pixels, (P,) each.

    Args:
        maps: (H, W) scores of every class.
        found: score and id, (H, W) each, of the best seen and of the best unseen class.
        labelled: (H, W).
    """
    (seen_score, seen), (unseen_score, unseen) = found
    seen_wins = (seen_score > unseen_score) | ((seen_score == unseen_score) & (seen < unseen))
    margin = _numpy(_margin(maps, seen_score, unseen_score))[labelled]
    bins = np.searchsorted(GAMMAS, margin, side="right")
    # the sign comes from the raw scores, so that rounding in the softmax cannot move a pixel across gamma = 0
    bins = np.where(_numpy(seen_wins)[labelled], np.maximum(bins, ZERO + 1), np.minimum(bins, ZERO))
    return _numpy(seen)[labelled], _numpy(unseen)[labelled], bins


def _margin(maps: Iterable[Tensor], seen_score: Tensor, unseen_score: Tensor) -> Tensor:
    """p(best seen class) - p(best unseen class), with p the softmax of the scores over all classes.

    Args:
        maps: (H, W) scores of every class.
        seen_score: (H, W) the highest score of a seen class.
        unseen_score: (H, W) the highest score of an unseen class.

    Returns:
        (H, W) float64 in -1 … 1, on the CPU.
    """
    dtype = torch.promote_types(seen_score.dtype, torch.float32)
    top = torch.maximum(seen_score, unseen_score).to(dtype)
    total = torch.zeros_like(top)
    for score in maps:
        total += (score.to(dtype) - top).exp_()
    # float64 only here: not every device has it
    seen, unseen = ((score.to(dtype) - top).cpu().double().exp() for score in (seen_score, unseen_score))
    return (seen - unseen) / total.cpu().double()
