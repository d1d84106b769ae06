"""A pinhole camera: back-projection of depth, projection of points, and which points a z-buffer leaves visible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAREST_M = 1e-3
"""Depth in meters below which a point is behind the camera or too near to it."""

DEPTH_TOLERANCE = 0.02
"""Share of its depth by which a visible point may lie behind the nearest point of its cell."""

Floats = NDArray[np.floating]


@dataclass(frozen=True)
class PinholeCamera:
    """A camera without distortion, looking along z, with x to the right and y down.

    Coordinates of pixels begin at the upper left corner of the image, so that the center of the first pixel is (0.5,
    0.5).

    Attributes:
        focal: Focal lengths of columns and rows, in pixels.
        center: Column and row of the optical axis, in pixels.
        size: Height and width of the image in pixels.
    """

    focal: tuple[float, float]
    center: tuple[float, float]
    size: tuple[int, int]

    @classmethod
    def from_matrix(cls, intrinsics: Floats, *, size: tuple[int, int]) -> PinholeCamera:
        """Return the camera of a matrix K (3, 3) without skew; its coordinates are taken as they are."""
        (fx, _, cx), (_, fy, cy), _ = intrinsics.tolist()
        return cls((fx, fy), (cx, cy), size)

    def back_project(self, uv: Floats, depth: Floats) -> NDArray[np.float64]:
        """Return the points (N, 3) in meters that columns and rows (N, 2) show at depths z (N,) in meters."""
        xy = (uv - np.array(self.center)) / np.array(self.focal) * depth[:, None]
        return np.column_stack([xy, depth])

    def project(self, points: Floats) -> NDArray[np.float64]:
        """Return the columns and rows (N, 2) of points (N, 3), finite but without meaning for points behind."""
        depth = np.maximum(points[:, 2:], NEAREST_M)
        return np.asarray(points[:, :2] / depth * np.array(self.focal) + np.array(self.center))


def find_visible(
    uv: Floats, depth: Floats, *, size: tuple[int, int], cell: int = 1, tolerance: float = DEPTH_TOLERANCE
) -> NDArray[np.bool_]:
    """Find the points that an image shows, by a z-buffer.

    The image is divided into square cells. A point is hidden if another one of its cell is nearer by more than the
    tolerance. Cells must be about as large as the distance of neighboring points in the image: gaps in a sparse
    foreground would show what is behind it.

    Args:
        uv: Columns and rows (N, 2) in pixels.
        depth: Depths (N,) in meters; points with less than `NEAREST_M` are not visible.
        size: Height and width of the image in pixels.
        cell: Side of a cell in pixels.
        tolerance: Share of the depth of the nearest point.

    Returns:
        (N,) flags.
    """
    is_inside = (uv >= 0).all(axis=1) & (uv < np.array(size[::-1])).all(axis=1) & (depth > NEAREST_M)
    columns, rows = (uv[is_inside] // cell).astype(np.int64).T
    buffer = np.full((-(-size[0] // cell), -(-size[1] // cell)), np.inf)
    np.minimum.at(buffer, (rows, columns), depth[is_inside])
    is_visible = np.zeros(len(uv), dtype=np.bool_)
    is_visible[is_inside] = depth[is_inside] <= (1 + tolerance) * buffer[rows, columns]
    return is_visible


def draw_labels(
    uv: Floats, depth: Floats, labels: NDArray[np.integer], *, size: tuple[int, int], ignore: int
) -> NDArray[np.integer]:
    """Draw the labels of visible points into a map; of several points in one pixel, the nearest one counts.

    Args:
        uv: Columns and rows (N, 2) in pixels, all within the image.
        depth: Depths (N,) in meters.
        labels: Labels (N,).
        size: Height and width of the image in pixels.
        ignore: Label of pixels without a point.

    Returns:
        (H, W) of the type of the labels.
    """
    order = np.argsort(-depth, kind="stable")  # the last one written is the nearest
    columns, rows = uv[order].astype(np.int64).T
    drawn = np.full(size, ignore, dtype=labels.dtype)
    drawn[rows, columns] = labels[order]
    return drawn
