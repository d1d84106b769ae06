"""A transformer decoder that attends by optimal transport: Multi-Prompts Sinkhorn Attention (arXiv 2403.14183).

Notation: B images, K classes of T texts, N patches.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.blocks.dropout import Dropout
from methods.blocks.mask_decoder import QueryUpdate
from methods.blocks.transport_decoder.config import TransportConfig, TransportDecoderConfig
from methods.blocks.transport_decoder.sinkhorn import score_transport


class TransportScores(nn.Module):
    """Projections of queries and patches, and the transport between them.

    Args:
        dimension: Length D of a query and a patch.
        transport: Entropy and iterations.
    """

    def __init__(self, dimension: int, transport: TransportConfig | None) -> None:
        super().__init__()
        self.transport = transport
        self.query, self.key = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)

    def forward(self, queries: Tensor, patches: Tensor) -> tuple[Tensor, Tensor]:
        """Score queries (B, K, T, D) at patches (B, N, D): scores (B, K, N) and plan (B, K, N, T)."""
        return score_transport(self.key(patches), self.query(queries), self.transport)


class TransportDecoderLayer(nn.Module):
    """Cross-attention by a transport plan, and the update of the queries.

    Args:
        dimension: Length D of a query and a patch.
        config: Transport and width of the MLP.
    """

    def __init__(self, dimension: int, config: TransportDecoderConfig) -> None:
        super().__init__()
        self.scores = TransportScores(dimension, config.transport)
        self.value = nn.Linear(dimension, dimension)
        self.update = QueryUpdate(dimension, hidden=config.hidden * dimension)

    def forward(self, queries: Tensor, patches: Tensor, *, dropout: Dropout) -> tuple[Tensor, Tensor]:
        """Update the queries.

        Args:
            queries: (B, K, T, D).
            patches: (B, N, D).
            dropout: Dropout of the pass.

        Returns:
            Queries (B, K, T, D), and scores (B, K, N).
        """
        scores, plan = self.scores(queries, patches)
        attended = torch.einsum("bknt,bnd->bktd", dropout(plan), self.value(patches))
        return self.update(queries, attended, dropout=dropout), scores


class TransportDecoder(nn.Module):
    """Layers that update the queries; the mask is the last score, weighted by the sigmoids of the others.

    Args:
        dimension: Length D of a query and a patch.
        config: Transport, number of layers, width of the MLP and dropout.
    """

    def __init__(self, dimension: int, config: TransportDecoderConfig) -> None:
        super().__init__()
        self.rate = config.dropout
        self.layers = nn.ModuleList(TransportDecoderLayer(dimension, config) for _ in range(config.layers - 1))
        self.scores = TransportScores(dimension, config.transport)

    def forward(self, queries: Tensor, patches: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Compute the logits of masks.

        Args:
            queries: (B, K, T, D).
            patches: (B, N, D).
            generator: CPU generator of the dropout; None for no dropout.

        Returns:
            (B, K, N): the scores of the last layer times the geometric mean of the sigmoids of the others' scores.
        """
        gates: list[Tensor] = []
        dropout = Dropout(self.rate, generator, device=patches.device)
        for layer in self.layers:
            queries, scores = layer(queries, patches, dropout=dropout)
            gates.append(scores.sigmoid() ** (1 / len(self.layers)))
        masks, _ = self.scores(queries, patches)
        for gate in gates:
            masks = masks * gate
        logits: Tensor = masks
        return logits
