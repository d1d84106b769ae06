"""Semantic Alignment Module (SAM): class embeddings attend to the image before they classify it."""

from __future__ import annotations

import math

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

    def forward(self, text: Tensor, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Adapt the class embeddings to each image.

        Args:
            text: (K, D) unit vectors of K classes.
            dense: (B, N, D) unit vectors of N positions.
            is_valid: (B, N) bool, positions to attend to; None for all.

        Returns:
            (B, K, D) unit vectors.
        """
        per_head = (self.heads, text.shape[1] // self.heads)
        scale = math.sqrt(text.shape[1])  # unit vectors have entries of about 1/√D

        # heads of the queries (B, heads, K, d) and of the keys and values (B, heads, N, d)
        query = self.query(text * scale).unflatten(1, per_head).transpose(0, 1).expand(len(dense), -1, -1, -1)
        key, value = self.key_value(dense * scale).unflatten(2, (2, *per_head)).permute(2, 0, 3, 1, 4)

        # attention of every class over the positions, without the (B, heads, K, N) weights in memory
        mask = None if is_valid is None else is_valid[:, None, None]  # (B, 1, 1, N)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)  # (B, heads, K, d)
        attended = attended.transpose(1, 2).flatten(2)  # (B, K, D)
        return F.normalize(text + self.output(attended) / scale, dim=2)


class NoAlignment(nn.Module):
    """Unchanged class embeddings: the plain cosine classifier."""

    def forward(self, text: Tensor, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Repeat the class embeddings for each image.

        Args:
            text: (K, D) unit vectors of K classes.
            dense: (B, N, D) unit vectors of N positions; only B is used.
            is_valid: Not used.

        Returns:
            (B, K, D).
        """
        return text.expand(len(dense), *text.shape)
