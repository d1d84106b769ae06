"""Semantic Alignment Module (SAM): text vectors look at the image before they classify it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config


class SamConfig(Config):
    """Cross-attention of text vectors over dense features. heads: of the attention."""

    heads: int = Field(default=4, ge=1)


class SemanticAlignment(nn.Module):
    """Residual cross-attention from class names to pixels, zero at the start (Chimera-Seg's SAM, reconstructed).

    Every class attends by itself, so classes that are added at test time change no other class's score.
    """

    def __init__(self, config: SamConfig, *, dimension: int) -> None:
        super().__init__()
        if dimension % config.heads:
            raise ValueError(f"sam.heads is {config.heads} and must divide the joint dimension {dimension}")
        self.heads = config.heads
        self.query = nn.Linear(dimension, dimension)
        self.key_value = nn.Linear(dimension, 2 * dimension)
        self.output = nn.Linear(dimension, dimension)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, text: Tensor, dense: Tensor) -> Tensor:
        """Text vectors of this image.

        Args:
            text: (K, D) unit vectors.
            dense: (B, N, D) unit vectors.

        Returns:
            (B, K, D) unit vectors.
        """
        split = (self.heads, text.shape[1] // self.heads)
        scale = math.sqrt(text.shape[1])  # unit vectors have entries of about 1/√D
        query = self.query(text * scale).unflatten(1, split)
        key, value = self.key_value(dense * scale).chunk(2, dim=2)
        key, value = key.unflatten(2, split), value.unflatten(2, split)
        attention = torch.einsum("khd,bnhd->bhkn", query, key).div(math.sqrt(split[1])).softmax(dim=3)
        seen = torch.einsum("bhkn,bnhd->bkhd", attention, value).flatten(2)
        return F.normalize(text + self.output(seen) / scale, dim=2)


class NoAlignment(nn.Module):
    """Text vectors as they are: the plain cosine classifier."""

    def forward(self, text: Tensor, dense: Tensor) -> Tensor:
        """(K, D) text vectors for every one of B images: (B, K, D)."""
        return text.expand(len(dense), *text.shape)
