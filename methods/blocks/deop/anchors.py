"""Region vectors of mask proposals: classification anchor learning (CAL), or the mean under the mask (DeOP).

B images, N proposals, D dimensions of an embedding, L positions of a dense map, H heads.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.deop.config import AnchorsConfig
from methods.blocks.dropout import Dropout
from methods.blocks.mask_former.transformer import MultiHeadAttention, QueryDecoderLayer, encode_positions
from methods.blocks.resizing import resize_maps


class RegionVectors(nn.Module, ABC):
    """A vector of each proposal from dense embeddings."""

    @abstractmethod
    def forward(self, dense: Tensor, masks: Tensor, *, generator: torch.Generator | None) -> Tensor:
        """Compute a vector for each proposal.

        Args:
            dense: Unit vectors (B, D, h, w).
            masks: Logits of the masks (B, N, h', w').
            generator: CPU generator of dropout; None in prediction.

        Returns:
            (B, N, D) unit vectors; zeros for a mask that is zero everywhere.
        """


class MaskAverage(RegionVectors):
    """The mean of the embeddings, weighted by the mask."""

    def forward(self, dense: Tensor, masks: Tensor, *, generator: torch.Generator | None) -> Tensor:
        """Pool embeddings; see `RegionVectors`."""
        return _average(dense, _resize_probabilities(masks, dense).unsqueeze(1))


class AnchorDecoder(RegionVectors):
    """Anchors that attend to the embeddings, and at last only under the mask of their proposal.

    The layers before are those of DETR. The last attention averages the embeddings themselves, so that a region vector
    stays in CLIP's space: r_n = normalize(Σ_l A_n(l) · sigmoid(m_n(l)) · u_l), and each head has its own A and a part
    of u.

    Args:
        config: Sizes.
        num_anchors: Number N of anchors, one for each proposal.
        dimension: Length D of an embedding.

    Raises:
        ValueError: The heads do not divide the embeddings.
    """

    def __init__(self, config: AnchorsConfig, *, num_anchors: int, dimension: int) -> None:
        super().__init__()
        config.check_width(dimension)
        self._dropout, hidden = config.dropout, round(config.hidden * dimension)
        self.anchors = nn.Parameter(torch.randn(num_anchors, dimension))
        self.layers = nn.ModuleList(
            QueryDecoderLayer(dimension, heads=config.heads, hidden=hidden) for _ in range(config.layers)
        )
        self.exchange, self.norm = MultiHeadAttention(dimension, heads=config.heads), nn.LayerNorm(dimension)
        for module in self.modules():
            if isinstance(module, MultiHeadAttention):
                nn.init.xavier_uniform_(module.in_proj_weight)
        self.select = PositionWeights(dimension, heads=config.heads)

    def forward(self, dense: Tensor, masks: Tensor, *, generator: torch.Generator | None) -> Tensor:
        """Compute region vectors; see `RegionVectors`."""
        dropout = Dropout(self._dropout, generator, device=dense.device)
        memory = dense.flatten(2).transpose(1, 2)  # (B, L, D)
        positions = encode_positions((dense.shape[2], dense.shape[3]), width=dense.shape[1], like=dense)[None]
        anchors = self.anchors[None]
        states = torch.zeros_like(anchors.expand(len(dense), -1, -1))  # (B, N, D)
        for layer in self.layers:
            states = layer(states, memory, queries=anchors, positions=positions, dropout=dropout)
        placed = states + anchors
        states = self.norm(states + dropout(self.exchange(placed, placed, states, dropout=dropout)))
        weights = dropout(self.select(states + anchors, memory + positions))  # (B, H, N, L)
        return _average(dense, weights * _resize_probabilities(masks, dense).unsqueeze(1))


class PositionWeights(nn.Module):
    """Weights softmax(q·k / √d) of each head, of an attention without values.

    Args:
        dimension: Length D of queries and keys.
        heads: Number H of heads.
    """

    def __init__(self, dimension: int, *, heads: int) -> None:
        super().__init__()
        self._heads = heads
        self.query, self.key = nn.Linear(dimension, dimension), nn.Linear(dimension, dimension)
        for layer in (self.query, self.key):
            nn.init.xavier_uniform_(layer.weight, gain=0.5**0.5)  # as a third of the matrix (3·D, D) of an attention
            nn.init.zeros_(layer.bias)

    def forward(self, query: Tensor, key: Tensor) -> Tensor:
        """Compute weights from queries (B, N, D) and keys (B, L, D): (B, H, N, L)."""
        queries = self.query(query).unflatten(2, (self._heads, -1)).transpose(1, 2)
        keys = self.key(key).unflatten(2, (self._heads, -1)).transpose(1, 2)
        weights: Tensor = (queries * queries.shape[3] ** -0.5 @ keys.transpose(2, 3)).softmax(dim=3)
        return weights


def _average(dense: Tensor, weights: Tensor) -> Tensor:
    """Average embeddings (B, D, h, w) by the weights (B, H, N, h·w) of H parts of them: unit vectors (B, N, D)."""
    with torch.autocast(dense.device.type, enabled=False):
        parts = dense.flatten(2).unflatten(1, (weights.shape[1], -1)).transpose(2, 3)  # (B, H, L, D / H)
        return F.normalize((weights.to(parts.dtype) @ parts).transpose(1, 2).flatten(2), dim=2)


def _resize_probabilities(masks: Tensor, dense: Tensor) -> Tensor:
    """Compute the probabilities of masks (B, N, h', w') on the grid of embeddings (B, D, h, w): (B, N, h·w)."""
    return resize_maps(masks.float().sigmoid(), dense.shape[2:]).flatten(2)
