"""Counts of points: the pixel counter on a cloud, which is an image of one column."""

from __future__ import annotations

from torch import Tensor

from benchmark.evaluation.counter import Counter


def count_points(counter: Counter, logits: Tensor, labels: Tensor, *, image_id: str) -> None:
    """Count the points of one scene, visible or not, as pixels are counted.

    Args:
        counter: Counter of the split.
        logits: (N, K) finite scores.
        labels: (N,) ids of classes, or the label to ignore.
        image_id: Name that no other scene of the counter has.

    Raises:
        ValueError: Scores or labels cannot be counted.
    """
    counter.update(logits.T[:, :, None], labels[:, None], image_id=image_id)
