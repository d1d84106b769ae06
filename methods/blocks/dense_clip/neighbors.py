"""Attention that prefers neighboring patches: a Gaussian of their distance is added to the logits (NACLIP)."""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention import Attend, merge_heads, project_heads
from methods.blocks.clip.attention_layers import AttentionLayer
from methods.blocks.padding import Grid


def compute_distances(grid: Grid) -> Tensor:
    """Compute the squared distances of all pairs of patches, in patches: (H·W, H·W) for the grid (H, W)."""
    rows, columns = torch.meshgrid(*(torch.arange(side) for side in grid), indexing="ij")
    places = torch.stack([rows.flatten(), columns.flatten()], dim=1).float()  # (H·W, 2)
    distances: Tensor = (places[:, None] - places).square().sum(dim=2)
    return distances


def compute_gaussian(grid: Grid, *, sigma: float) -> Tensor:
    """Compute Ω, exp(-distance² / (2 sigma²)) of all pairs of patches (NACLIP, equation 5).

    Args:
        grid: (H, W).
        sigma: Standard deviation in patches.

    Returns:
        (H·W, H·W).
    """
    return (-compute_distances(grid) / (2 * sigma**2)).exp()


def pad_prefix(bias: Tensor, num_tokens: int) -> Tensor:
    """Add zeros for the tokens before the patches, as the class token: (H·W, H·W) to (num_tokens, num_tokens)."""
    missing = num_tokens - bias.shape[-1]
    return F.pad(bias, (missing, 0, missing, 0))


def make_neighbor_attention(grid: Grid, *, sigma: float) -> Attend:
    """Return the attention with A = softmax(s·kkᵀ + Ω) (NACLIP, arXiv 2404.08181).

    Args:
        grid: Grid of the patches.
        sigma: Standard deviation of the Gaussian Ω in patches.
    """
    return partial(_attend_key_key, bias=compute_gaussian(grid, sigma=sigma))


def make_neighbors_only_attention(grid: Grid, *, sigma: float) -> Attend:
    """Return the attention with A = softmax(c·Ω), c the mean of s·|q|·|k| over tokens and heads ("neighbourhood only").

    Args:
        grid: Grid of the patches.
        sigma: Standard deviation of the Gaussian Ω in patches.
    """
    return partial(_attend_by_distance, bias=compute_gaussian(grid, sigma=sigma))


def _attend_key_key(layer: AttentionLayer, tokens: Tensor, *, bias: Tensor) -> Tensor:
    _, key, value = project_heads(layer, tokens)
    mask = pad_prefix(bias, key.shape[2]).to(key)
    return merge_heads(layer, F.scaled_dot_product_attention(key, key, value, attn_mask=mask))


def _attend_by_distance(layer: AttentionLayer, tokens: Tensor, *, bias: Tensor) -> Tensor:
    query, key, value = project_heads(layer, tokens)
    scale = query.shape[-1] ** -0.5
    strength = scale * query.norm(dim=3)[..., None] * key.norm(dim=3)[..., None, :]  # (B, H, L, L)
    bias = pad_prefix(bias, key.shape[2]).to(value)
    weights = (strength.mean(dim=(1, 2, 3), keepdim=True) * bias).softmax(dim=3)
    return merge_heads(layer, weights @ value)
