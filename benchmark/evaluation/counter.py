"""Pixel counter: turns the logits of one image after the other into counts, whatever method and engine made them.

Logits are read a few classes at a time, so that counting needs memory for a few (H, W) maps only, even if a prediction
computes its logits lazily, and the softmax of every pixel is summed in the order of the classes for any number of
threads. Only the maps of the best classes and of the sums leave the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from benchmark.core.lazy_scores import AnyPrediction, compute_label_map, get_shape
from benchmark.core.types import get_ignore_label
from benchmark.evaluation.candidates import LogitsError, find_candidates, find_labels
from benchmark.evaluation.counts import GAMMAS, Counts, Integers, find_gamma, merge
from benchmark.evaluation.margin_bins import ZERO
from benchmark.evaluation.pixel_counts import count_candidates, count_pairs, has_unknown_labels
from benchmark.evaluation.uncertain_pixels import MarginCorrections

BINS = len(GAMMAS) + 1


class _Pairs(NamedTuple):
    """Pixels of one image by label and predicted class.

    Attributes:
        cells: (n,) label times K plus predicted class, ascending, without those that no pixel has.
        pixels: (n,) number of pixels.
    """

    cells: Integers
    pixels: Integers


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
        groups = (tuple(k for k, is_seen in enumerate(self.seen) if is_seen is wanted) for wanted in (True, False))
        self._groups = tuple(group for group in groups if group)
        self._restored: Counts | None = None
        self._restored_ids: frozenset[str] = frozenset()
        self._images: dict[str, _Pairs] = {}
        # Pixels by best class of a group, by whether it is the label, and by margin bin
        self._margins = np.zeros((len(classes), 2, BINS), dtype=np.int64)
        self._corrections = MarginCorrections(self._margins, ignore=ignore)

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
        labels = target.detach().cpu().numpy().astype(np.int64, copy=False)
        self._check_labels(labels, image_id=image_id)
        self._images[image_id] = self._count(prediction, labels, image_id=image_id)

    def restore(self, counts: Counts) -> None:
        """Go on from counts that another counter of the same arguments had computed; this one has counted nothing yet.

        Raises:
            ValueError: The classes are others.
        """
        if (counts.classes, counts.seen) != (self.classes, self.seen):
            raise ValueError("counts of other classes cannot be restored: count all images again")
        self._restored, self._restored_ids = counts, frozenset(counts.image_ids)

    def compute(self) -> Counts:
        """Return the counts of all images so far, ordered by image id and not by arrival."""
        self._corrections.apply()
        ids, classes = sorted(self._images), len(self.classes)
        pairs = [self._images[name] for name in ids]
        image = np.repeat(np.arange(len(ids)), [len(part.cells) for part in pairs])  # (n,), as the next ones
        empty = np.empty(0, dtype=np.int64)
        target, prediction = np.divmod(np.concatenate([empty, *(part.cells for part in pairs)]), classes)
        pixels = np.concatenate([empty, *(part.pixels for part in pairs)])
        hits, shape = np.where(target == prediction, pixels, 0), (len(ids), classes)
        counts = Counts(
            image_ids=tuple(ids),
            classes=self.classes,
            seen=self.seen,
            intersection=sparse.csr_array((hits, (image, target)), shape=shape),
            prediction=sparse.csr_array((pixels, (image, prediction)), shape=shape),
            target=sparse.csr_array((pixels, (image, target)), shape=shape),
            margin_intersection=self._margins[:, 1],
            margin_prediction=self._margins.sum(axis=1),
            confusion=sparse.csr_array((pixels, (target, prediction)), shape=(classes, classes)),
        )
        return counts if self._restored is None else merge([self._restored, counts])

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
        return find_candidates(prediction, self._groups, image_id="").settle().choose(self._threshold).astype(np.int64)

    def _count(self, logits: AnyPrediction, labels: Integers, *, image_id: str) -> _Pairs:
        """Add one image to the margin counts, and return its pixels by label and predicted class.

        Args:
            logits: Prediction, or its logits (K, H, W).
            labels: (H, W) ids of classes, or `ignore`.
            image_id: Name of the image, for error messages.
        """
        flat = labels.ravel()  # (P,)
        if len(self._groups) == 2:
            candidates = find_candidates(logits, self._groups, image_id=image_id)
            if self._threshold != ZERO:
                candidates = candidates.settle()
            pairs = count_candidates(
                flat, candidates, threshold=self._threshold, ignore=self.ignore, margins=self._margins
            )
            if candidates.uncertain is not None:
                self._corrections.add(flat, candidates.uncertain)
        else:
            prediction = find_labels(logits, image_id=image_id)
            pairs = count_pairs(flat, prediction.ravel(), classes=len(self.classes), ignore=self.ignore)
        used = np.flatnonzero(pairs)
        return _Pairs(used, pairs[used])

    def _check_shapes(self, shape: tuple[int, ...], target: Tensor, *, image_id: str) -> None:
        if image_id in self._images or image_id in self._restored_ids:
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
        if has_unknown_labels(labels.ravel(), classes=len(self.classes), ignore=self.ignore):
            is_unknown = ((labels < 0) | (labels >= len(self.classes))) & (labels != self.ignore)
            raise ValueError(
                f"target of image {image_id!r} has the labels {np.unique(labels[is_unknown])[:5].tolist()}, expected 0 "
                f"to {len(self.classes) - 1} or {self.ignore} to ignore: map the masks to this split's classes"
            )
