"""Pixel counter: turns the logits of one image after the other into counts, whatever method and engine made them.

Logits are read one class at a time, so that counting needs memory for a few (H, W) maps only, even if a prediction
computes its logits lazily, and every pixel is summed in the same order for any number of threads. Only those maps leave
the device.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from benchmark.core.lazy_scores import AnyPrediction, compute_label_map, get_shape
from benchmark.core.types import get_ignore_label
from benchmark.evaluation.candidates import ZERO, LogitsError, find_candidates, find_labels
from benchmark.evaluation.counts import GAMMAS, Counts, Integers, Matrix, find_gamma

BINS = len(GAMMAS) + 1


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
        self._check_shapes(get_shape(prediction), target, image_id=image_id)
        labels = target.detach().cpu().numpy().astype(np.int64)
        self._check_labels(labels, image_id=image_id)
        self._rows[image_id] = self._count(prediction, labels, image_id=image_id)

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
            labels: Integers = compute_label_map(prediction).cpu().numpy()
            return labels
        everywhere = np.ones(get_shape(prediction)[1:], dtype=np.bool_)
        candidates = find_candidates(prediction, self._groups, everywhere, image_id="")
        return candidates.choose(self._threshold).reshape(everywhere.shape)  # (H W,) to (H, W)

    def _count(self, logits: AnyPrediction, labels: Integers, *, image_id: str) -> Matrix:
        """Add one image to the margin counts and the confusion, and return its counts per class.

        Args:
            logits: Prediction, or its logits (K, H, W).
            labels: (H, W) ids of classes, or `ignore`.
            image_id: Name of the image, for error messages.

        Returns:
            (3, K) intersection, prediction and target.
        """
        # The P labeled pixels
        is_labeled = labels != self.ignore  # (H, W)
        target = labels[is_labeled]  # (P,)

        # Predicted class at this counter's gamma, (P,), and margin counts for every gamma
        if len(self._groups) == 2:
            candidates = find_candidates(logits, self._groups, is_labeled, image_id=image_id)
            for candidate in (candidates.seen, candidates.unseen):
                self._add_margins(candidate, target, bins=candidates.bins)
            prediction = candidates.choose(self._threshold)
        else:
            prediction = find_labels(logits, image_id=image_id)[is_labeled]

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

    def _check_shapes(self, shape: tuple[int, ...], target: Tensor, *, image_id: str) -> None:
        if image_id in self._rows:
            raise ValueError(f"image {image_id!r} was counted before: give each image once")
        classes = len(self.classes)
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
