"""Patch tokens unlike all others: found by their local outlier factor, replaced by their neighbors."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.padding import Grid


def find_outliers(tokens: Tensor, *, neighbors: int, share: float) -> Tensor:
    """Find the tokens of the largest local outlier factor (Breunig et al., SIGMOD 2000), from squared distances.

    Args:
        tokens: (N, C).
        neighbors: Nearest tokens that the density at a token is estimated from; at most N - 1 are used.
        share: Share of the tokens that are outliers.

    Returns:
        (N,) bool.
    """
    distances = torch.cdist(tokens, tokens, compute_mode="donot_use_mm_for_euclid_dist").square()  # (N, N)
    neighbors = min(neighbors, len(tokens) - 1)
    nearest, indices = (some[:, 1:] for some in distances.topk(neighbors + 1, largest=False))  # without itself
    reach = torch.maximum(nearest, nearest[:, -1:])
    density = neighbors / reach.mean(dim=1)
    factors = density[indices].div(density[:, None]).mean(dim=1)
    return factors > torch.quantile(factors.float(), 1 - share)


def replace_by_neighbors(tokens: Tensor, outliers: Tensor, *, grid: Grid) -> Tensor:
    """Replace outliers by the mean of those of their eight neighbors that are none.

    Args:
        tokens: (B, H·W, C).
        outliers: (B, H·W) bool.
        grid: (H, W).

    Returns:
        (B, H·W, C); outliers without such a neighbor stay.
    """
    kept = (~outliers).to(tokens)[:, :, None]  # (B, H·W, 1)
    kernel = tokens.new_ones(1, 1, 3, 3)
    kernel[0, 0, 1, 1] = 0

    def add_neighbors(values: Tensor) -> Tensor:
        maps = values.transpose(1, 2).unflatten(2, grid).flatten(0, 1)[:, None]  # (B·C, 1, H, W)
        sums: Tensor = F.conv2d(maps, kernel, padding=1).unflatten(0, (len(values), -1)).flatten(2).transpose(1, 2)
        return sums

    counts = add_neighbors(kept)
    means = add_neighbors(tokens * kept) / counts.clamp(min=1)
    return torch.where(outliers[:, :, None] & (counts > 0), means, tokens)
