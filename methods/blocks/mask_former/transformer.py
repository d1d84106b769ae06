"""Transformer decoder of DETR (arXiv 2005.12872): learned queries attend to each other and to a feature map."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.dropout import Dropout

TEMPERATURE = 10_000.0


class MultiHeadAttention(nn.Module):
    """Multi-head attention with the parameters of `nn.MultiheadAttention`, whose dropout takes no generator.

    Args:
        width: Width C of all tokens.
        heads: Number of heads.
    """

    def __init__(self, width: int, *, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, *, dropout: Dropout) -> Tensor:
        """Attend.

        Args:
            query: (B, M, C).
            key: (B, N, C).
            value: (B, N, C).
            dropout: Dropout of the attention weights.

        Returns:
            (B, M, C).
        """
        weights, biases = self.in_proj_weight.chunk(3), self.in_proj_bias.chunk(3)
        query, key, value = (
            F.linear(tokens, weight, bias).unflatten(2, (self.heads, -1)).transpose(1, 2)  # (B, heads, L, C / heads)
            for tokens, weight, bias in zip((query, key, value), weights, biases, strict=True)
        )
        if dropout.is_active:
            scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[3])
            attended = dropout(scores.softmax(dim=3)) @ value
        else:
            attended = F.scaled_dot_product_attention(query, key, value)
        merged: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return merged


class QueryDecoderLayer(nn.Module):
    """Self-attention of queries, attention to the map and MLP, each followed by a norm."""

    def __init__(self, width: int, *, heads: int, hidden: int) -> None:
        super().__init__()
        self.self_attention = MultiHeadAttention(width, heads=heads)
        self.attention = MultiHeadAttention(width, heads=heads)
        self.linear_1, self.linear_2 = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm_1, self.norm_2, self.norm_3 = nn.LayerNorm(width), nn.LayerNorm(width), nn.LayerNorm(width)

    def forward(
        self, tokens: Tensor, memory: Tensor, *, queries: Tensor, positions: Tensor, dropout: Dropout
    ) -> Tensor:
        """Update the tokens of the queries.

        Args:
            tokens: (B, Q, C).
            memory: (B, N, C) map.
            queries: (1, Q, C) learned queries, added to tokens that are queries or keys of an attention.
            positions: (1, N, C) positions of the map, added to its keys.
            dropout: Dropout of the step.

        Returns:
            (B, Q, C).
        """
        placed = tokens + queries
        tokens = self.norm_1(tokens + dropout(self.self_attention(placed, placed, tokens, dropout=dropout)))
        attended = self.attention(tokens + queries, memory + positions, memory, dropout=dropout)
        tokens = self.norm_2(tokens + dropout(attended))
        updated = self.linear_2(dropout(F.relu(self.linear_1(tokens))))
        result: Tensor = self.norm_3(tokens + dropout(updated))
        return result


class QueryDecoder(nn.Module):
    """Decoder layers, whose tokens are zeros at the start, and a norm of the tokens after each layer.

    Args:
        in_channels: Channels of the map.
        width: Width C of tokens and queries.
        queries: Number Q of queries.
        layers: Number L of layers.
        heads: Number of heads.
        hidden: Width of the hidden layer of the MLPs.
        dropout: Dropout rate.
    """

    def __init__(
        self, *, in_channels: int, width: int, queries: int, layers: int, heads: int, hidden: int, dropout: float
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.queries = nn.Parameter(torch.randn(queries, width))
        self.layers = nn.ModuleList(QueryDecoderLayer(width, heads=heads, hidden=hidden) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for parameter in self.layers.parameters():
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)
        self.project = nn.Conv2d(in_channels, width, kernel_size=1) if in_channels != width else nn.Identity()

    def forward(self, features: Tensor, *, generator: torch.Generator | None) -> Tensor:
        """Compute the embeddings of the queries.

        Args:
            features: (B, in_channels, h, w).
            generator: CPU generator of the dropout; None outside training.

        Returns:
            (L, B, Q, C), one for each layer.
        """
        dropout = Dropout(self.dropout, generator, device=features.device)
        memory = self.project(features).flatten(2).transpose(1, 2)  # (B, h·w, C)
        size = (features.shape[2], features.shape[3])
        positions = encode_positions(size, width=memory.shape[2], like=memory)[None]
        queries = self.queries[None]
        tokens = torch.zeros_like(queries.expand(len(memory), -1, -1))
        results: list[Tensor] = []
        for layer in self.layers:
            tokens = layer(tokens, memory, queries=queries, positions=positions, dropout=dropout)
            results.append(self.norm(tokens))
        return torch.stack(results)


def encode_positions(size: tuple[int, int], *, width: int, like: Tensor) -> Tensor:
    """Encode the positions of a map by sines and cosines of its rows, then of its columns.

    Args:
        size: Rows h and columns w; coordinates run to 2π at the last of them.
        width: Length C of a code, a multiple of 4.
        like: Tensor of the type and device of the result.

    Returns:
        (h·w, C).
    """
    steps = torch.arange(width // 2, dtype=torch.float32, device=like.device)
    periods = TEMPERATURE ** (2 * (steps // 2) / (width // 2))
    codes: list[Tensor] = []
    for count in size:
        places = torch.arange(1, count + 1, dtype=torch.float32, device=like.device)
        angles = (places / (count + 1e-6) * 2 * math.pi)[:, None] / periods  # (count, C / 2)
        codes.append(torch.stack([angles[:, 0::2].sin(), angles[:, 1::2].cos()], dim=2).flatten(1))
    rows = codes[0][:, None].expand(-1, size[1], -1)
    columns = codes[1][None].expand(size[0], -1, -1)
    return torch.cat([rows, columns], dim=2).flatten(0, 1).to(like.dtype)
