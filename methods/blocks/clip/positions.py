"""CLIP's positional embedding on other grids than the one that it was trained on."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.padding import Grid

Interpolation = Literal["bilinear", "bicubic", "DINO"]
"""Interpolation of the positions of patches. That of DINO, which SCLIP and its successors share, is bicubic with the
steps of a grid that is a tenth of a patch larger."""

DINO_MARGIN = 0.1
"""Share of a patch that DINO's interpolation adds to both sides of the grid."""


def resize_positions(
    positions: Tensor, *, trained: Grid, grid: Grid, interpolation: Interpolation = "bilinear", num_prefix: int = 1
) -> Tensor:
    """Resize CLIP's positional embedding to another grid; the rows before the patches stay unchanged.

    Args:
        positions: (P + h·w, C) for the grid (h, w) that CLIP was trained on.
        trained: The grid (h, w).
        grid: The new grid (H, W).
        interpolation: Interpolation of the patches' rows.
        num_prefix: Number P of rows before the patches: that of the class token, and of registers.

    Returns:
        (P + H·W, C).
    """
    if grid == trained:
        return positions
    patches = positions[num_prefix:].T.reshape(1, -1, *trained)  # (1, C, h, w)
    if interpolation == "DINO":
        factors = [(new + DINO_MARGIN) / old for new, old in zip(grid, trained, strict=True)]
        resized = F.interpolate(patches, scale_factor=factors, mode="bicubic", align_corners=False)
    else:
        resized = F.interpolate(patches, size=grid, mode=interpolation, align_corners=False)
    return torch.cat([positions[:num_prefix], resized[0].flatten(1).T])
