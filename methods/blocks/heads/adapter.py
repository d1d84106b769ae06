"""Trained layers between a body's features and CLIP."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize each position of a map (B, C, h, w); the shape stays the same."""
        return super().forward(input.movedim(1, 3)).movedim(3, 1)


def build_norm(kind: Literal["channel"] | None, *, channels: int) -> nn.Module:
    """Build the norm that the features (B, C, h, w) pass through, or the identity.

    Args:
        kind: Kind of norm; None for no norm.
        channels: Number C of feature channels.
    """
    return nn.Identity() if kind is None else ChannelNorm(channels)


class Adapter(nn.Module):
    """A linear map of each feature, and possibly a branch of two layers that is added and zero at the start.

    Args:
        channels: Number C of feature channels.
        width: Length W of the outputs.
        layers: 1 for the linear map alone, 2 for the branch as well.
    """

    def __init__(self, channels: int, width: int, *, layers: Literal[1, 2]) -> None:
        super().__init__()
        self.linear = nn.Conv2d(channels, width, kernel_size=1)
        self.branch: nn.Sequential | None = None
        if layers == 2:
            last = nn.Conv2d(channels, width, kernel_size=1)
            set_linear(last, torch.zeros(width, channels), torch.zeros(width))
            self.branch = nn.Sequential(nn.Conv2d(channels, channels, kernel_size=1), nn.GELU(), last)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to (B, W, h, w)."""
        mapped: Tensor = self.linear(features)
        return mapped if self.branch is None else mapped + self.branch(features)


def set_linear(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Set the parameters of a linear layer or 1x1 convolution.

    Args:
        layer: Layer from C to D channels.
        weight: (D, C).
        bias: (D,).
    """
    state = {"weight": weight.reshape(layer.weight.shape), "bias": bias}
    layer.load_state_dict(state)
