"""Initial weights of queries and decoder."""

from __future__ import annotations

from torch import nn

STANDARD_DEVIATION = 0.02


def initialize_head(head: nn.Module) -> None:
    """Draw the weights of all linear layers from a narrow normal distribution, and set their biases to 0."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=STANDARD_DEVIATION)
            nn.init.zeros_(module.bias)
