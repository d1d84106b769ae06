"""Counts of points."""

from __future__ import annotations

import torch

from benchmark.evaluation.counter import Counter
from benchmark.evaluation.point_counts import count_points


def test_every_labeled_point_is_counted_once() -> None:
    counter = Counter(("car", "road"), (True, False))
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 1.0], [0.0, 5.0]])
    count_points(counter, logits, torch.tensor([0, 1, 1, 255]), image_id="scene")
    intersection, prediction, target = counter.compute().totals
    assert (intersection.tolist(), prediction.tolist(), target.tolist()) == ([1, 1], [2, 1], [1, 2])
