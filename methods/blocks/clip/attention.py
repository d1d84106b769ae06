"""Attentions and tails of CLIP's last block, which decide how local its patch features are.

An attention and a tail are independent parts. Notation of the docstrings: y are the normalized tokens that enter the
block, [q, k, v] = y·W_in + b_in in each head of dimension d, s = 1/√d, and the attention returns (A v)·W_o + b_o.

Image encoders other than OpenAI's may normalize or rotate q and k, or normalize A v. The products are those of q and k
after norm and rotation. With rotary positions (EVA-02, PE), self-self attentions therefore depend on the distance of
tokens, of which their papers, written for CLIP, say nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention_layers import AttentionLayer
from methods.blocks.clip.residual_blocks import ResidualBlock

Attention = Literal["vanilla", "value", "query-query", "key-key", "query-query+key-key"]
"""Attention of the last block: as trained (A = softmax(s·qkᵀ)), the value path of MaskCLIP (A = I), or the self-self
attentions of ClearCLIP (A = softmax(s·qqᵀ)), of NACLIP without its Gaussian (A = softmax(s·kkᵀ)) and of SCLIP (the sum
of the last two, so that rows of A sum to 2)."""

Tail = Literal["full", "reduced"]
"""What follows that attention: residual and MLP as trained, or nothing (as in ClearCLIP)."""

Attend = Callable[[AttentionLayer, Tensor], Tensor]
"""Function from an attention layer and the tokens y, (B, L, C), to the attended tokens, (B, L, C)."""


def project_heads(layer: AttentionLayer, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Compute queries, keys and values of all heads.

    Args:
        layer: Attention layer with H heads of dimension d.
        tokens: (B, L, C) normalized.

    Returns:
        Queries, keys and values, each (B, H, L, d); queries and keys with the layer's norms and rotary positions.
    """
    query, key, value = layer.project(tokens)
    return query, key, value


def project_values(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Compute the values of all heads alone: tokens (B, L, C) to (B, H, L, d)."""
    (values,) = layer.project(tokens, start=2)
    return values


def merge_heads(layer: AttentionLayer, attended: Tensor) -> Tensor:
    """Apply the output projection of an attention layer to its heads.

    Args:
        layer: Attention layer with H heads of dimension d.
        attended: Weighted values A v of all heads, (B, H, L, d).

    Returns:
        (B, L, C).
    """
    return layer.merge(attended)


def attend_as_trained(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·qkᵀ), as CLIP was trained; shapes as in `Attend`."""
    query, key, value = project_heads(layer, tokens)
    return merge_heads(layer, F.scaled_dot_product_attention(query, key, value))


def attend_from_first(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Attend as trained, but from the first token only: (B, L, C) to (B, 1, C)."""
    (query,) = layer.project(tokens[:, :1], stop=1)
    key, value = layer.project(tokens, start=1)
    return merge_heads(layer, F.scaled_dot_product_attention(query, key, value))


def attend_to_itself(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Attend with A = I, so that every token keeps its own value (MaskCLIP, arXiv 2112.01071, section 3.2)."""
    return merge_heads(layer, project_values(layer, tokens))


def attend_query_query(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·qqᵀ) (ClearCLIP, arXiv 2407.12442)."""
    query, _, value = project_heads(layer, tokens)
    return merge_heads(layer, F.scaled_dot_product_attention(query, query, value))


def attend_key_key(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·kkᵀ) (NACLIP, arXiv 2404.08181, without its Gaussian)."""
    _, key, value = project_heads(layer, tokens)
    return merge_heads(layer, F.scaled_dot_product_attention(key, key, value))


def attend_query_query_and_key_key(layer: AttentionLayer, tokens: Tensor) -> Tensor:
    """Attend with A = softmax(s·qqᵀ) + softmax(s·kkᵀ) (SCLIP, arXiv 2312.01597)."""
    query, key, value = project_heads(layer, tokens)
    by_query = F.scaled_dot_product_attention(query, query, value)
    return merge_heads(layer, by_query + F.scaled_dot_product_attention(key, key, value))


def attend_with(layer: AttentionLayer, tokens: Tensor, *, weights: Tensor) -> Tensor:
    """Attend with given weights A.

    Args:
        layer: Attention layer with H heads of dimension d.
        tokens: (B, L, C) normalized.
        weights: A, (B, H, M, L) or with 1 for B or H.

    Returns:
        (B, M, C).
    """
    value = project_values(layer, tokens)
    return merge_heads(layer, weights.to(value.dtype) @ value)


def compute_weights(query: Tensor, key: Tensor) -> Tensor:
    """Compute A = softmax(s·qkᵀ) of all heads: queries and keys (B, H, L, d) to (B, H, L, L)."""
    scale = query.shape[-1] ** -0.5
    weights: Tensor = (query * scale @ key.transpose(2, 3)).softmax(dim=3)
    return weights


ATTENTIONS: Mapping[Attention, Attend] = {
    "vanilla": attend_as_trained,
    "value": attend_to_itself,
    "query-query": attend_query_query,
    "key-key": attend_key_key,
    "query-query+key-key": attend_query_query_and_key_key,
}


def run_block(block: ResidualBlock, tokens: Tensor, *, attend: Attend, tail: Tail) -> Tensor:
    """Run one residual block with another attention or tail.

    Args:
        block: Block of an image encoder.
        tokens: (B, L, C) before the block.
        attend: Attention in place of the block's own.
        tail: Whether residual and MLP follow the attention.

    Returns:
        (B, L, C), or (B, 1, C) of the first token if the attention is `attend_from_first`.
    """
    attended = attend(block.attention, block.normalize(tokens))
    return attended if tail == "reduced" else block.finish(tokens[:, : attended.shape[1]], attended)
