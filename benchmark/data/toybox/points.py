"""Point clouds of toybox scenes: every second pixel of every second row, at the depth of the scene.

The camera is declared here; it took the depth and the image, so that it sees every point. A scene consists of upright
planes at a few depths: the shape of a thing is in its outline alone, and what tells kinds of stuff apart is in the
color of points, as an RGB-D camera gives it. The reflectance, a LiDAR's single number, is the gray level.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmark.data.base import RawPoints
from benchmark.data.points.pinhole import PinholeCamera, find_visible
from benchmark.data.toybox.canvas import SIZE

CAMERA = PinholeCamera(focal=(float(SIZE), float(SIZE)), center=(SIZE / 2, SIZE / 2), size=(SIZE, SIZE))
"""Camera of every scene: an opening angle of 53 degrees in both directions."""

STRIDE = 2
"""Distance of neighboring points in pixels."""

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the gray level (ITU-R BT.601)."""


def scan_scene(image: NDArray[np.uint8], labels: NDArray[np.uint8], depth_mm: NDArray[np.uint16]) -> RawPoints:
    """Return the points of a scene.

    Args:
        image: (SIZE, SIZE, 3) RGB.
        labels: (SIZE, SIZE) labels.
        depth_mm: (SIZE, SIZE) depth along the optical axis in millimeters.
    """
    rows, columns = (grid.ravel() for grid in np.mgrid[0:SIZE:STRIDE, 0:SIZE:STRIDE])
    uv = np.column_stack([columns, rows]) + 0.5
    depth = depth_mm[rows, columns] / 1000
    color = image[rows, columns] / 255
    return RawPoints(
        np.column_stack([CAMERA.back_project(uv, depth), color @ LUMA, color]).astype(np.float32),
        uv.astype(np.float32),
        find_visible(uv, depth, size=CAMERA.size),
        labels[rows, columns],
    )
