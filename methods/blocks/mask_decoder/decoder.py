"""A transformer decoder whose attention is the mask: ZegCLIP's (arXiv 2212.03588), after SegViT's.

Queries attend to patches, and do not attend to each other, so that the mask of a class does not depend on the others.
Notation: K queries, N patches, H heads of dimension d, s = 1/√d.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.blocks.dropout import Dropout
from methods.blocks.mask_decoder.config import MaskDecoderConfig
from methods.blocks.mask_decoder.query_update import QueryUpdate


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
    """Cross-attention, and the update of the queries.

    Args:
        dimension: Length D of a query and a patch.
        config: Heads and width of the MLP.
    """

    def __init__(self, dimension: int, config: MaskDecoderConfig) -> None:
        super().__init__()
        self.scores = MaskScores(dimension, heads=config.heads)
        self.value = nn.Linear(dimension, dimension)
        self.update = QueryUpdate(dimension, hidden=config.hidden * dimension)

    def forward(self, queries: Tensor, patches: Tensor, *, dropout: Dropout) -> Tensor:
        """Update the queries.

        Args:
            queries: (B, K, D).
            patches: (B, N, D).
            dropout: Dropout of the pass.

        Returns:
            (B, K, D).
        """
        weights = dropout(self.scores(queries, patches).softmax(dim=3))  # (B, H, K, N)
        attended = (weights @ _split(self.value(patches), self.scores.heads)).transpose(1, 2).flatten(2)  # (B, K, D)
        updated: Tensor = self.update(queries, attended, dropout=dropout)
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
        self.rate = config.dropout
        self.layers = nn.ModuleList(MaskDecoderLayer(dimension, config) for _ in range(config.layers - 1))
        self.scores = MaskScores(dimension, heads=config.heads)

    def forward(self, queries: Tensor, patches: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute the logits of masks, the mean over the heads.

        Args:
            queries: (B, K, D).
            patches: (B, N, D).
            generator: CPU generator of the dropout; None for no dropout.

        Returns:
            (B, K, N).
        """
        dropout = Dropout(self.rate, generator, device=patches.device)
        for layer in self.layers:
            queries = layer(queries, patches, dropout=dropout)
        logits: Tensor = self.scores(queries, patches).mean(dim=1)
        return logits


def _split(vectors: Tensor, heads: int) -> Tensor:
    """Split vectors (B, L, D) into heads, (B, H, L, d)."""
    heads_first: Tensor = vectors.unflatten(2, (heads, -1)).transpose(1, 2)
    return heads_first
