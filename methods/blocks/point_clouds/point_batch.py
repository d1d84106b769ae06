"""Points of a batch in one list."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.core.types import Batch


@dataclass(frozen=True, eq=False)
class PointBatch:
    """N points of B images, those of an image one after the other.

    Attributes:
        points: (N, 7) x, y, z in meters, reflectance and color, as in `Sample`.
        image: (N,) long, index of the image of each point.
        uv: (N, 2) column and row in pixels of that image.
        is_valid: (N,) bool, whether a pixel of the image shows the point.
        labels: (N,) long; None for samples without labels.
    """

    points: Tensor
    image: Tensor
    uv: Tensor
    is_valid: Tensor
    labels: Tensor | None


def collect_points(batch: Batch) -> PointBatch:
    """Collect the points of a batch.

    Args:
        batch: B samples with points, all or none of them labeled.

    Raises:
        ValueError: A sample has no points.
    """
    for sample in batch:
        if "points" not in sample:
            raise ValueError(
                f"sample {sample['image_id']!r} has no points: the method sees nothing but points, so declare "
                "Supervision.POINTS and use a dataset that has them"
            )
    counts = torch.tensor([len(sample["points"]) for sample in batch])
    points = torch.cat([sample["points"] for sample in batch]).float()
    has_labels = all("point_sem_seg" in sample for sample in batch)
    return PointBatch(
        points,
        torch.arange(len(batch)).repeat_interleave(counts).to(points.device),
        torch.cat([sample["points_uv"] for sample in batch]).float(),
        torch.cat([sample["points_valid"] for sample in batch]),
        torch.cat([sample["point_sem_seg"] for sample in batch]).long() if has_labels else None,
    )
