"""Random point clouds for the tiny images of the checks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.seeding import KeyedRandom
from benchmark.core.types import Sample
from benchmark.data.base import RawPoints
from benchmark.data.pixel_frame import WHOLE_IMAGE
from benchmark.data.placed_points import add_points
from benchmark.data.points.pinhole import PinholeCamera

STRIDE = 4
"""Distance of neighboring points in pixels, less than the blocks of one label."""

HIDDEN_EVERY = 5
"""Distance of the indices of points that are not visible."""


def make_raw_points(labels: NDArray[Any], *, name: str) -> RawPoints:
    """Return points at random depths of 2 to 50 meters, with the labels of their pixels.

    Args:
        labels: (H, W) labels of the pixels.
        name: Key of the random draws.
    """
    height, width = labels.shape
    rows, columns = (grid.ravel() for grid in np.mgrid[1:height:STRIDE, 1:width:STRIDE])
    draws = KeyedRandom("points", name)
    depth = draws.draw_integers(2000, 50_000, shape=rows.shape) / 1000
    surface = draws.draw_integers(0, 256, shape=(len(rows), 4)) / 255  # reflectance and color
    uv = np.column_stack([columns, rows]) + 0.5
    camera = PinholeCamera((float(width), float(width)), (width / 2, height / 2), (height, width))
    points = np.column_stack([camera.back_project(uv, depth), surface]).astype(np.float32)
    is_visible = np.arange(len(rows)) % HIDDEN_EVERY != 0
    return RawPoints(points, uv.astype(np.float32), is_visible, labels[rows, columns])


def add_random_points(sample: Sample) -> Sample:
    """Return a copy of a sample with random points, which have labels if its pixels have."""
    height, width = sample["image"].shape[1:]
    labels = sample["sem_seg"] if "sem_seg" in sample else torch.zeros(height, width, dtype=torch.long)
    raw = make_raw_points(labels.numpy(), name=sample["image_id"])
    point_labels = torch.from_numpy(raw.labels) if "sem_seg" in sample else None
    return add_points(sample, raw, frame=WHOLE_IMAGE, size=(height, width), labels=point_labels)


def replace_labels(sample: Sample, labels: Tensor) -> None:
    """Replace the labels (H, W) of a training sample, and those of its points if there are any."""
    sample["sem_seg"] = labels
    if "points_uv" in sample:
        columns, rows = sample["points_uv"].long().unbind(1)
        sample["point_sem_seg"] = labels[rows, columns]
