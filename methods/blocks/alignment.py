"""Semantic Alignment Module (SAM): class embeddings attend to the image before they classify it."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config


class SamConfig(Config):
    """Cross-attention from class embeddings to dense features.

    Attributes:
        heads: Number of attention heads; divides the embedding dimension.
    """

    heads: int = Field(default=4, ge=1)


class SemanticAlignment(nn.Module):
    """Residual cross-attention from classes to pixels, zero at the start (Chimera-Seg's SAM, reconstructed).

    Every class attends independently, so adding classes at test time changes no logits of the other classes.

    Args:
        config: Settings of the attention.
        dimension: Length D of class embeddings and dense features.

    Raises:
        ValueError: The number of heads does not divide the dimension.
    """

    def __init__(self, config: SamConfig, *, dimension: int) -> None:
        super().__init__()
        if dimension % config.heads:
            raise ValueError(f"sam.heads is {config.heads} and must divide the embedding dimension {dimension}")
        self.heads = config.heads
        self.query = nn.Linear(dimension, dimension)
        self.key_value = nn.Linear(dimension, 2 * dimension)
        self.output = nn.Linear(dimension, dimension)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, text: Tensor, dense: Tensor) -> Tensor:
        """Adapt the class embeddings to each image.

        Args:
            text: (K, D) unit vectors of K classes.
            dense: (B, N, D) unit vectors of N positions.

        Returns:
            (B, K, D) unit vectors.
        """
        per_head = (self.heads, text.shape[1] // self.heads)
        scale = math.sqrt(text.shape[1])  # unit vectors have entries of about 1/√D

        # heads of the queries (K, heads, d) and of the keys and values (B, N, heads, d)
        query = self.query(text * scale).unflatten(1, per_head)
        key, value = self.key_value(dense * scale).chunk(2, dim=2)
        key, value = key.unflatten(2, per_head), value.unflatten(2, per_head)

        # attention of every class over the positions, (B, heads, K, N)
        attention = torch.einsum("khd,bnhd->bhkn", query, key).div(math.sqrt(per_head[1])).softmax(dim=3)
        attended = torch.einsum("bhkn,bnhd->bkhd", attention, value).flatten(2)  # (B, K, D)
        return F.normalize(text + self.output(attended) / scale, dim=2)


class NoAlignment(nn.Module):
    """Unchanged class embeddings: the plain cosine classifier."""

    def forward(self, text: Tensor, dense: Tensor) -> Tensor:
        """Repeat the class embeddings for each image.

        Args:
            text: (K, D) unit vectors of K classes.
            dense: (B, N, D) unit vectors of N positions; only B is used.

        Returns:
            (B, K, D).
        """
        return text.expand(len(dense), *text.shape)
