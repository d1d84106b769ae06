"""MLP with any number of layers."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn


class Mlp(nn.Module):
    """Linear layers with ReLU between them.

    Args:
        in_features: Length of an input.
        hidden: Width of the hidden layers.
        out_features: Length of an output.
        layers: Number of linear layers, at least 1.
    """

    def __init__(self, in_features: int, hidden: int, out_features: int, *, layers: int) -> None:
        super().__init__()
        widths = [in_features, *[hidden] * (layers - 1), out_features]
        self.layers = nn.ModuleList(nn.Linear(*pair) for pair in pairwise(widths))

    def forward(self, values: Tensor) -> Tensor:
        """Map (…, in_features) to (…, out_features)."""
        *hidden, last = self.layers
        for layer in hidden:
            values = layer(values).relu()
        mapped: Tensor = last(values)
        return mapped
