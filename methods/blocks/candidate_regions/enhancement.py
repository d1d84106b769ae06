"""Multi-scale feature enhancement of Split Matching (a reconstruction)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Enhancement(nn.Module):
    """Multi-scale Feature Enhancement: convolutions at several strides, added to a map.

    Args:
        channels: Channels C of the map.
        strides: Factors by which the map is reduced before each convolution.
    """

    def __init__(self, channels: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.branches = nn.ModuleList(
            nn.Conv2d(channels, channels, kernel_size=3, padding=1, groups=channels) for _ in self.strides
        )
        self.merge = nn.Conv2d(len(self.strides) * channels, channels, kernel_size=1)
        for parameter in self.merge.parameters():
            nn.init.zeros_(parameter)

    def forward(self, features: Tensor) -> Tensor:
        """Enhance features (B, C, h, w); the shape stays the same."""
        size = features.shape[2:]
        scales = []
        for stride, branch in zip(self.strides, self.branches, strict=True):
            reduced = F.avg_pool2d(features, stride, ceil_mode=True) if stride > 1 else features
            scales.append(F.interpolate(branch(reduced), size=size, mode="bilinear", align_corners=False))
        enhanced: Tensor = features + self.merge(torch.cat(scales, dim=1))
        return enhanced
