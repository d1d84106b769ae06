"""Points of a sample: those of the scene, with the pixels of the augmented image that show them.

A crop or a zoom changes the camera and not the scene: the cloud stays whole, and points outside of the crop have no
pixel. A flip mirrors the scene: x changes its sign.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from benchmark.core.types import Sample
from benchmark.data.base import RawPoints
from benchmark.data.pixel_frame import PixelFrame
from benchmark.data.resize import Size

MIRROR = np.array([-1, 1, 1, 1, 1, 1, 1], dtype=np.float32)
"""Factors of x, y, z, reflectance and color of a mirrored scene."""


def add_points(
    sample: Sample, raw: RawPoints, *, frame: PixelFrame, size: Size, labels: Tensor | None = None
) -> Sample:
    """Return a copy of a sample with the points of its scene.

    Args:
        sample: Sample of the image.
        raw: N points of the dataset.
        frame: Position of the sample's image in the whole one.
        size: Height and width of the sample's image without padding.
        labels: (N,) labels for training; None for a sample without labels.
    """
    uv = frame(raw.uv)
    is_inside = ((uv >= 0) & (uv < np.array(size[::-1], dtype=np.float32))).all(axis=1)
    placed = sample.copy()
    placed["points"] = torch.from_numpy(raw.points * MIRROR if frame.is_mirrored else raw.points)
    placed["points_uv"] = torch.from_numpy(uv)
    placed["points_valid"] = torch.from_numpy(raw.is_visible & is_inside)
    if labels is not None:
        placed["point_sem_seg"] = labels
    return placed
