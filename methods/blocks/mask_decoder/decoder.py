"""A transformer decoder whose attention is the mask: ZegCLIP's (arXiv 2212.03588), after SegViT's.

Queries attend to patches, and do not attend to each other, so that the mask of a class does not depend on the others.
Notation: K queries, N patches, H heads of dimension d, s = 1/√d.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.blocks.dropout import drop_values
from methods.blocks.mask_decoder.config import MaskDecoderConfig


class MaskScores(nn.Module):
    """Attention scores s·qkᵀ before the softmax, of every head.

    Args:
        dimension: Length D of a query and a patch.
        heads: Number H of heads.
    """

    def __init__(self, dimension: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)

    def forward(self, queries: Tensor, patches: Tensor) -> Tensor:
        """Score queries (B, K, D) at patches (B, N, D): (B, H, K, N)."""
        query, key = (_split(layer(some), self.heads) for layer, some in ((self.query, queries), (self.key, patches)))
        scores: Tensor = query @ key.transpose(2, 3) * query.shape[-1] ** -0.5
        return scores


class MaskDecoderLayer(nn.Module):
    """Cross-attention and MLP, each followed by a residual and a norm.

    Args:
        dimension: Length D of a query and a patch.
        config: Heads, width of the MLP and dropout.
    """

    def __init__(self, dimension: int, config: MaskDecoderConfig) -> None:
        super().__init__()
        self.rate = config.dropout
        self.scores = MaskScores(dimension, heads=config.heads)
        self.value, self.merge = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)
        self.attention_norm = nn.LayerNorm(dimension)
        self.expand = nn.Linear(dimension, config.hidden * dimension)
        self.contract = nn.Linear(config.hidden * dimension, dimension)
        self.mlp_norm = nn.LayerNorm(dimension)

    def forward(self, queries: Tensor, patches: Tensor, generator: torch.Generator | None) -> Tensor:
        """Update the queries.

        Args:
            queries: (B, K, D).
            patches: (B, N, D).
            generator: Generator of the dropout; None for no dropout.

        Returns:
            (B, K, D).
        """
        weights = drop_values(self.scores(queries, patches).softmax(dim=3), self.rate, generator)  # (B, H, K, N)
        attended = (weights @ _split(self.value(patches), self.scores.heads)).transpose(1, 2).flatten(2)  # (B, K, D)
        queries = self.attention_norm(queries + drop_values(self.merge(attended), self.rate, generator))
        hidden = drop_values(self.expand(queries).relu(), self.rate, generator)
        updated: Tensor = self.mlp_norm(queries + drop_values(self.contract(hidden), self.rate, generator))
        return updated


class MaskDecoder(nn.Module):
    """Layers that update the queries, and a last attention whose scores are the masks.

    The last layer needs neither values nor an MLP, since nothing reads its queries.

    Args:
        dimension: Length D of a query and a patch.
        config: Number of layers, heads, width of the MLP and dropout.
    """

    def __init__(self, dimension: int, config: MaskDecoderConfig) -> None:
        super().__init__()
        config.check_width(dimension)
        self.layers = nn.ModuleList(MaskDecoderLayer(dimension, config) for _ in range(config.layers - 1))
        self.scores = MaskScores(dimension, heads=config.heads)

    def forward(self, queries: Tensor, patches: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute the logits of masks, the mean over the heads.

        Args:
            queries: (B, K, D).
            patches: (B, N, D).
            generator: Generator of the dropout; None for no dropout.

        Returns:
            (B, K, N).
        """
        for layer in self.layers:
            queries = layer(queries, patches, generator)
        logits: Tensor = self.scores(queries, patches).mean(dim=1)
        return logits


def _split(vectors: Tensor, heads: int) -> Tensor:
    """Split vectors (B, L, D) into heads, (B, H, L, d)."""
    heads_first: Tensor = vectors.unflatten(2, (heads, -1)).transpose(1, 2)
    return heads_first
