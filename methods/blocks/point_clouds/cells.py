"""A hierarchy of cells that hold points, found by sorting integer keys: a sparse voxel grid without a special library.

Cells are cubes in the coordinates (azimuth, elevation, logarithm of the distance). A cell of side s covers s·r meters
at a distance of r, in all three directions, so that cells grow with the distance as the gaps between the points of a
scan do. Cylinder3D (arXiv 2011.10033) divides LiDAR scans by angle for this reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

NEAREST_M = 0.1
"""Distance in meters below which all points count as equally near."""

SPAN_BITS = 16
"""Bits of each coordinate of a cell in its key; the image takes the bits above."""

SIDE_STEPS = tuple(product((-1, 0, 1), repeat=3))
"""Steps to the 27 cells around a cell, itself among them."""


@dataclass(frozen=True, eq=False)
class CellLevel:
    """M cells that hold E elements: points, or the cells of the level below.

    Attributes:
        parent: (E,) long, index of the cell of each element.
        offset: (E, 3) position of each element in its cell, -1 to 1 from side to side.
        neighbors: (M, 27) long, index of the cells around each cell in the order of `SIDE_STEPS`; M for empty ones.
    """

    parent: Tensor
    offset: Tensor
    neighbors: Tensor

    def average(self, features: Tensor) -> Tensor:
        """Average the features of the elements of each cell in float32: (E, C) to (M, C)."""
        precise, cells = features.float(), len(self.neighbors)  # bfloat16 cannot count beyond 256
        total = precise.new_zeros(cells, features.shape[1]).index_add(0, self.parent, precise)
        return total / torch.bincount(self.parent, minlength=cells)[:, None]


def compute_polar_positions(points: Tensor) -> Tensor:
    """Compute azimuth and elevation in radians and the logarithm of the distance in meters.

    Args:
        points: (N, 3) x to the right, y down and z forward, in meters.

    Returns:
        (N, 3) in float32.
    """
    x, y, z = points.float().unbind(1)
    ground = torch.hypot(x, z)
    distance = torch.hypot(ground, y).clamp_min(NEAREST_M)
    return torch.stack([torch.atan2(x, z), torch.atan2(-y, ground), distance.log()], dim=1)


def build_cells(positions: Tensor, image: Tensor, *, side: float, levels: int) -> Iterator[CellLevel]:
    """Yield levels of cells, each with twice the side of the one below.

    Args:
        positions: (N, 3) finite coordinates.
        image: (N,) long, index of the image of each point; images share no cell.
        side: Side of the smallest cells.
        levels: Number of levels.
    """
    elements = positions / side
    for _ in range(levels):
        corners = elements.floor()
        key = _make_keys(corners.long(), image)
        keys, parent = torch.unique(key, return_inverse=True)
        yield CellLevel(parent, 2 * (elements - corners) - 1, _find_neighbors(keys))
        # the cells are the elements of the next level; all elements of a cell write the same values
        cells = corners.new_empty(len(keys), 3).index_copy(0, parent, corners)
        image = image.new_empty(len(keys)).index_copy(0, parent, image)
        elements = (cells + 0.5) / 2


def _make_keys(corners: Tensor, image: Tensor) -> Tensor:
    """Return the key (E,) of the cell at integer corners (E, 3) of an image (E,); steps between cells add up in it."""
    half = 1 << (SPAN_BITS - 1)
    clamped = corners.clamp(1 - half, half - 2) + half  # no step leaves the range of its coordinate
    key = image
    for coordinate in clamped.unbind(1):
        key = (key << SPAN_BITS) + coordinate
    return key


def _find_neighbors(keys: Tensor) -> Tensor:
    """Return the index of the 27 cells around each cell, (M, 27), for the sorted keys (M,) of all cells."""
    steps = [(x << 2 * SPAN_BITS) + (y << SPAN_BITS) + z for x, y, z in SIDE_STEPS]
    wanted = keys[:, None] + torch.tensor(steps, device=keys.device)
    index = torch.searchsorted(keys, wanted).clamp_max(max(0, len(keys) - 1))
    return torch.where(keys[index] == wanted, index, len(keys)) if len(keys) else index
