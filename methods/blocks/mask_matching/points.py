"""Sampled points of masks (PointRend, arXiv 1912.08193; as in Mask2Former, arXiv 2112.01527).

Points are (x, y) in 0-1, from the upper left corner of a map of any size to its lower right one.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.mask_matching.config import PointSamplingConfig


def draw_points(count: int, num_points: int, *, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draw uniform points on the CPU: (count, num_points, 2)."""
    return torch.rand(count, num_points, 2, generator=generator).to(device)


def read_at_points(maps: Tensor, points: Tensor, *, mode: Literal["bilinear", "nearest"] = "bilinear") -> Tensor:
    """Read maps at points, zero outside.

    Args:
        maps: (N, C, H, W).
        points: (N, P, 2).
        mode: Interpolation between pixels.

    Returns:
        (N, C, P).
    """
    grid = (2 * points - 1).to(maps.dtype)[:, None]  # (N, 1, P, 2)
    return F.grid_sample(maps, grid, mode=mode, align_corners=False)[:, :, 0]


@torch.no_grad()
def draw_uncertain_points(logits: Tensor, *, config: PointSamplingConfig, generator: torch.Generator) -> Tensor:
    """Draw points of each mask, more of them where the prediction is uncertain.

    Args:
        logits: (N, H, W) mask logits.
        config: Number and kinds of the points.
        generator: CPU generator of the draws.

    Returns:
        (N, P, 2), the least certain candidates first.
    """
    count, num_uncertain = len(logits), int(config.uncertain * config.points)
    candidates = draw_points(count, int(config.points * config.oversampling), generator=generator, device=logits.device)
    certainty = read_at_points(logits[:, None], candidates)[:, 0].abs()  # (N, candidates)
    chosen = certainty.topk(num_uncertain, dim=1, largest=False).indices[..., None].expand(-1, -1, 2)
    rest = draw_points(count, config.points - num_uncertain, generator=generator, device=logits.device)
    return torch.cat([candidates.gather(1, chosen), rest], dim=1)
