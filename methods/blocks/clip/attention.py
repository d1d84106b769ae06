"""Attentions and tails of CLIP's last block, which decide how local its patch features are.

An attention and a tail are independent parts. Notation of the docstrings: y are the normalized tokens that enter the
block, [q, k, v] = y·W_in + b_in in each head of dimension d, s = 1/√d, and the attention returns (A v)·W_o + b_o.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

Attention = Literal["vanilla", "value", "query-query", "key-key", "query-query+key-key"]
"""Attention of the last block: as trained (A = softmax(s·qkᵀ)), the value path of MaskCLIP (A = I), or the self-self
attentions of ClearCLIP (A = softmax(s·qqᵀ)), of NACLIP without its Gaussian (A = softmax(s·kkᵀ)) and of SCLIP (the sum
of the last two, so that rows of A sum to 2)."""

Tail = Literal["full", "reduced"]
"""What follows that attention: residual and MLP as trained, or nothing (as in ClearCLIP)."""

Attend = Callable[[nn.MultiheadAttention, Tensor], Tensor]
"""Function from an attention layer and the tokens y, (B, L, C), to the attended tokens, (B, L, C)."""

Block = Any
"""An open_clip `ResidualAttentionBlock`, whose submodules have no type annotations."""


def project_heads(layer: nn.MultiheadAttention, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute queries, keys and values of all heads.

    Args:
        layer: Attention layer with H heads of dimension d.
        tokens: (B, L, C) normalized.

    Returns:
        Queries, keys and values, each (B, H, L, d).
    """
    projected = F.linear(tokens, layer.in_proj_weight, layer.in_proj_bias)  # (B, L, 3·H·d)
    query, key, value = projected.unflatten(2, (3, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
    return query, key, value


def merge_heads(layer: nn.MultiheadAttention, attended: Tensor) -> Tensor:
    """Apply the output projection of an attention layer to its heads.

    Args:
        layer: Attention layer with H heads of dimension d.
        attended: Weighted values A v of all heads, (B, H, L, d).

    Returns:
        (B, L, C).
    """
    merged: Tensor = layer.out_proj(attended.transpose(1, 2).flatten(2))
    return merged


def attend_as_trained(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·qkᵀ), as CLIP was trained; shapes as in `Attend`."""
    query, key, value = project_heads(layer, tokens)
    return merge_heads(layer, F.scaled_dot_product_attention(query, key, value))


def attend_from_first(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Attend as trained, but from the first token only: (B, L, C) to (B, 1, C)."""
    weight, bias, width = layer.in_proj_weight, layer.in_proj_bias, layer.embed_dim
    query = F.linear(tokens[:, :1], weight[:width], bias[:width]).unflatten(2, (layer.num_heads, -1)).transpose(1, 2)
    projected = F.linear(tokens, weight[width:], bias[width:])  # (B, L, 2·H·d)
    key, value = projected.unflatten(2, (2, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
    return merge_heads(layer, F.scaled_dot_product_attention(query, key, value))


def attend_to_itself(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Attend with A = I, so that every token keeps its own value (MaskCLIP, arXiv 2112.01071, section 3.2)."""
    weight, bias = layer.in_proj_weight, layer.in_proj_bias
    width = weight.shape[1]
    attended: Tensor = layer.out_proj(F.linear(tokens, weight[2 * width :], bias[2 * width :]))
    return attended


def attend_query_query(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·qqᵀ) (ClearCLIP, arXiv 2407.12442)."""
    query, _, value = project_heads(layer, tokens)
    return merge_heads(layer, F.scaled_dot_product_attention(query, query, value))


def attend_key_key(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·kkᵀ) (NACLIP, arXiv 2404.08181, without its Gaussian)."""
    _, key, value = project_heads(layer, tokens)
    return merge_heads(layer, F.scaled_dot_product_attention(key, key, value))


def attend_query_query_and_key_key(layer: nn.MultiheadAttention, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·qqᵀ) + softmax(s·kkᵀ) (SCLIP, arXiv 2312.01597)."""
    query, key, value = project_heads(layer, tokens)
    by_query = F.scaled_dot_product_attention(query, query, value)
    return merge_heads(layer, by_query + F.scaled_dot_product_attention(key, key, value))


ATTENTIONS: Mapping[Attention, Attend] = {
    "vanilla": attend_as_trained,
    "value": attend_to_itself,
    "query-query": attend_query_query,
    "key-key": attend_key_key,
    "query-query+key-key": attend_query_query_and_key_key,
}


def run_block(block: Block, tokens: Tensor, *, attend: Attend, tail: Tail) -> Tensor:
    """Run one residual block with another attention or tail.

    Args:
        block: An open_clip `ResidualAttentionBlock`.
        tokens: (B, L, C) before the block.
        attend: Attention in place of the block's own.
        tail: Whether residual and MLP follow the attention.

    Returns:
        (B, L, C), or (B, 1, C) of the first token if the attention is `attend_from_first`.
    """
    attended = attend(block.attn, block.ln_1(tokens))
    if tail == "reduced":
        return attended
    tokens = tokens[:, : attended.shape[1]] + block.ls_1(attended)
    mixed: Tensor = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return mixed
