"""Pixel counts of label maps, as `benchmark.evaluation.counter` makes them of scores.

A pixel that is predicted as no class is wrong: its target counts, and it is a prediction of no class. Labels have no
scores, so that no offset of the seen classes can be swept, see `Counts.is_labels_only`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from benchmark.core.split import Split
from benchmark.evaluation.counts import GAMMAS, Counts, Integers
from benchmark.exchange.class_ids import NO_CLASS
from benchmark.exchange.evaluation_targets import EvaluationTargets
from benchmark.exchange.label_source import LabelSource

ImageObserver: TypeAlias = Callable[[int, int], None]
"""Function that is called with the numbers of images done and of all images."""


@dataclass(frozen=True)
class LabelCounts:
    """Counts of label maps.

    Attributes:
        counts: Pixel counts.
        labels_digest: SHA-256 over image ids and classes of all pixels.
        no_class_pixels: Number of labeled pixels that are predicted as no class.
    """

    counts: Counts
    labels_digest: str
    no_class_pixels: int


def count_source(
    source: LabelSource, targets: EvaluationTargets, *, observe: ImageObserver = lambda _done, _total: None
) -> LabelCounts:
    """Count the label maps of a source, which has one for every scored image.

    Args:
        source: Label maps.
        targets: Targets of the scored images.
        observe: Function that is called after every image.

    Raises:
        ValueError: A label map is broken, has another size than its target, or ids without a meaning.
    """
    digest, missed, done = hashlib.sha256(), 0, 0

    def count_each() -> Iterator[tuple[str, Integers]]:
        nonlocal missed, done
        for image_id, target in targets.read():
            labels = source.read(image_id, (target.shape[0], target.shape[1]))
            content = hashlib.sha256(labels.astype("<i4").tobytes()).hexdigest()
            digest.update(f"{image_id} {labels.shape[0]}x{labels.shape[1]} {content}\n".encode())
            table = count_pairs(labels, target, num_classes=len(targets.split.classes), ignore=targets.ignore)
            missed += int(table[:, -1].sum())
            done += 1
            observe(done, len(targets.image_ids))
            yield image_id, table

    counts = make_counts(count_each(), targets.split)
    return LabelCounts(counts, digest.hexdigest(), missed)


def count_pairs(labels: NDArray[np.integer], target: NDArray[np.integer], *, num_classes: int, ignore: int) -> Integers:
    """Count the pixels of an image by target and prediction.

    Args:
        labels: (H, W) predicted classes, or `NO_CLASS`.
        target: (H, W) classes, or `ignore` for pixels that are not counted.
        num_classes: Number of classes, K.
        ignore: Label of pixels without a target.

    Returns:
        (K, K + 1) pixels of the class of the row that are predicted as the class of the column; the last column is
        that of no class.
    """
    is_labeled = target != ignore
    predicted = labels[is_labeled].astype(np.int64)
    columns = np.where(predicted == NO_CLASS, num_classes, predicted)
    cells = target[is_labeled].astype(np.int64) * (num_classes + 1) + columns
    return np.bincount(cells, minlength=num_classes * (num_classes + 1)).reshape(num_classes, num_classes + 1)


def make_counts(tables: Iterable[tuple[str, Integers]], split: Split) -> Counts:
    """Return the counts of images.

    Args:
        tables: Id and (K, K + 1) table of `count_pairs` of every image; each is read once and not kept.
        split: Split with the K classes.
    """
    size = len(split.classes)
    confusion, rows = np.zeros((size, size), dtype=np.int64), {}
    for image_id, table in tables:
        pairs = table[:, :-1]
        confusion += pairs
        # intersection, prediction and target, (K,) each
        rows[image_id] = sparse.csr_array(np.stack([pairs.diagonal(), pairs.sum(axis=0), table.sum(axis=1)]))
    stacked = sparse.vstack([rows[image_id] for image_id in sorted(rows)], format="csr")  # (3 N, K)
    margin = np.zeros((size, len(GAMMAS) + 1), dtype=np.int64)
    return Counts(
        image_ids=tuple(sorted(rows)),
        classes=split.classes,
        seen=split.is_seen,
        intersection=stacked[0::3],
        prediction=stacked[1::3],
        target=stacked[2::3],
        margin_intersection=margin,
        margin_prediction=margin,
        confusion=sparse.csr_array(confusion),
    )
