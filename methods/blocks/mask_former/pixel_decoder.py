"""MaskFormer's pixel decoder: a feature pyramid network (FPN, arXiv 1612.03144) with group norms."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

GROUPS = 32


class PixelDecoder(nn.Module):
    """Top-down path from the coarsest level to the finest, and a convolution to per-pixel features.

    Args:
        in_channels: Channels of each level, from the finest to the coarsest.
        channels: Channels of the path, a multiple of 32.
        out_channels: Channels of the per-pixel features.
    """

    def __init__(self, in_channels: Sequence[int], *, channels: int, out_channels: int) -> None:
        super().__init__()
        *finer, coarsest = in_channels
        self.laterals = nn.ModuleList(_make_convolution(count, channels, kernel=1) for count in finer)
        self.outputs = nn.ModuleList(
            nn.Sequential(_make_convolution(count, channels, kernel=3), nn.ReLU())
            for count in [*[channels] * len(finer), coarsest]
        )
        self.features = nn.Conv2d(channels, out_channels, kernel_size=3, padding=1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                initialize_convolution(module)

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Compute per-pixel features.

        Args:
            levels: Maps (B, C_i, h_i, w_i), from the finest to the coarsest.

        Returns:
            (B, out_channels, h_0, w_0).
        """
        top: Tensor = self.outputs[-1](levels[-1])
        finer = list(zip(levels[:-1], self.laterals, list(self.outputs)[:-1], strict=True))
        for level, lateral, output in reversed(finer):
            side = lateral(level)
            top = output(side + F.interpolate(top, size=side.shape[2:], mode="nearest"))
        features: Tensor = self.features(top)
        return features


def _make_convolution(in_channels: int, out_channels: int, *, kernel: int) -> nn.Sequential:
    convolution = nn.Conv2d(in_channels, out_channels, kernel_size=kernel, padding=kernel // 2, bias=False)
    return nn.Sequential(convolution, nn.GroupNorm(GROUPS, out_channels))


def initialize_convolution(convolution: nn.Conv2d) -> None:
    """Initialize as Detectron2 does: weights uniform with the variance of 1 / inputs, biases zero."""
    nn.init.kaiming_uniform_(convolution.weight, a=1)
    if convolution.bias is not None:
        nn.init.zeros_(convolution.bias)
