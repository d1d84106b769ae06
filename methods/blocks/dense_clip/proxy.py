"""Attention by the similarity of another model's features (ProxyCLIP)."""

from __future__ import annotations

from functools import partial

import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention import Attend, merge_heads, project_values
from methods.blocks.clip.attention_layers import AttentionLayer
from methods.blocks.clip.image_encoder import to_map
from methods.blocks.dense_clip.similarity import compute_similarities, weigh_above_mean
from methods.blocks.padding import Grid


def compute_proxy_weights(features: Tensor, *, shift: float, scale: float) -> Tensor:
    """Compute A from the cosines S of the proxy's features (ProxyCLIP, equations 5 and 6).

    Args:
        features: (B, C, H, W) of the proxy model.
        shift: Factor (beta in the paper) of the mean of S over all pairs of an image.
        scale: Factor of what is above it (gamma in the paper).

    Returns:
        (B, H·W, H·W), rows sum to 1.
    """
    similarities = compute_similarities(features.flatten(2).transpose(1, 2))
    return weigh_above_mean(similarities, shift=shift, scale=scale)


def make_proxy_attention(weights: Tensor, *, grid: Grid, proxy_grid: Grid) -> Attend:
    """Return the attention of the proxy's positions to CLIP's values, which are resized to the proxy's grid.

    The attention leaves out the tokens before the patches: (B, P + h·w, C) to (B, H·W, C).

    Args:
        weights: A, (B, H·W, H·W).
        grid: Grid (h, w) of CLIP's patches.
        proxy_grid: Grid (H, W) of the proxy's features.
    """
    return partial(_attend_as_proxy, weights=weights, grid=grid, proxy_grid=proxy_grid)


def _attend_as_proxy(layer: AttentionLayer, tokens: Tensor, *, weights: Tensor, grid: Grid, proxy_grid: Grid) -> Tensor:
    values = project_values(layer, tokens)[:, :, -grid[0] * grid[1] :]  # (B, H, h·w, d)
    together = values.transpose(1, 2).flatten(2)  # (B, h·w, H·d): all heads attend alike
    resized = F.interpolate(to_map(together, grid), size=proxy_grid, mode="bilinear", align_corners=False)
    attended = weights.to(together.dtype) @ resized.flatten(2).transpose(1, 2)
    return merge_heads(layer, attended.unflatten(2, (values.shape[1], -1)).transpose(1, 2))
