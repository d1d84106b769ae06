"""Class-aware affinity of CLIP's attention, which spreads activation maps (CLIP-ES, arXiv 2212.09506, section 3.3)."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from methods.blocks.padding import Grid

ROUNDS = 3
"""Scalings of columns and rows."""
NEIGHBORS = np.stack([np.zeros((3, 3)), np.ones((3, 3)), np.zeros((3, 3))]).astype(bool)
"""Positions that belong to the same component: eight neighbors in the map of the same class."""
MAX_BYTE = 255


def compute_affinity(attention: Tensor) -> Tensor:
    """Turn an attention into an affinity: scale columns and rows, take the mean with the transpose, and square.

    Args:
        attention: (N, N) of the patches, mean over heads and blocks; rows need not sum to 1.

    Returns:
        (N, N).
    """
    for _ in range(ROUNDS):
        attention = attention / attention.sum(dim=0, keepdim=True)
        attention = attention / attention.sum(dim=1, keepdim=True)
    symmetric = (attention + attention.T) / 2
    return symmetric @ symmetric


Borders = Literal["code", "kept"]
"""Whether boxes end before the last row and the last column, as in the official code, or include them."""


def spread(maps: Tensor, affinity: Tensor, *, grid: Grid, threshold: float, borders: Borders = "code") -> Tensor:
    """Spread each map from the boxes around its high values.

    Args:
        maps: (T, N) in 0-1.
        affinity: (N, N).
        grid: h and w of the N = h·w patches.
        threshold: Share of a map's maximum that high values exceed.
        borders: Whether boxes include the last row and the last column.

    Returns:
        (T, N), at least 0.
    """
    boxes = mark_boxes(maps.unflatten(1, grid), threshold=threshold, borders=borders).flatten(1)
    return (maps * boxes) @ affinity.T


def mark_boxes(maps: Tensor, *, threshold: float, borders: Borders = "code") -> Tensor:
    """Mark the bounding boxes of the connected components of high values, as the official code does with OpenCV.

    Values are rounded down to bytes, and so is the threshold. Positions that touch at a corner are connected.

    Args:
        maps: (T, h, w) in 0-1.
        threshold: Share of a map's maximum that high values exceed.
        borders: Whether boxes include the last row and the last column.

    Returns:
        (T, h, w) bool.
    """
    levels = (maps * MAX_BYTE).to(torch.uint8)
    limits = (threshold * levels.amax(dim=(1, 2), keepdim=True).double()).floor()
    components, _ = ndimage.label((levels > limits).cpu().numpy(), structure=NEIGHBORS)
    marked = np.zeros(maps.shape, dtype=bool)
    for box in ndimage.find_objects(components):
        marked[box] = True
    if borders == "code":
        marked[:, -1], marked[:, :, -1] = False, False
    return torch.from_numpy(marked).to(maps.device)
