"""A LiDAR scan in the image of a camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.base import RawPoints
from benchmark.data.points.pinhole import Floats, PinholeCamera, find_visible

TOLERANCE = 0.1
"""Tolerance of the z-buffer for cells of several pixels, in which the depth of a slanted surface changes."""


def place_scan(
    in_camera: Floats, *, reflectance: Floats, labels: NDArray[np.integer], camera: PinholeCamera, cell: int
) -> RawPoints:
    """Return a scan, which has no colors, with the pixels that show its points.

    Args:
        in_camera: (N, 3) points in meters, in the frame of the camera.
        reflectance: (N,) in 0-1.
        labels: (N,) labels.
        camera: Camera of the image.
        cell: Side of a cell of the z-buffer, in pixels.
    """
    uv = camera.project(in_camera).astype(np.float32)
    is_visible = find_visible(uv, in_camera[:, 2], size=camera.size, cell=cell, tolerance=TOLERANCE)
    points = np.column_stack([in_camera, reflectance, np.zeros((len(in_camera), 3))])
    return RawPoints(points.astype(np.float32), uv, is_visible, labels)
