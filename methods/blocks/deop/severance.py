"""Patch severance: what takes the place of the attention from patch to patch in CLIP's last blocks (DeOP).

A patch that attends to others carries what they show, so that a mask no longer selects what it covers. Here, m_n(l) are
the probabilities of mask n at token l, which are 1 at the tokens before the patches, and v_l are the values of CLIP.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from methods.blocks.clip.attention import Attend, attend_to_itself, attend_with, merge_heads, project_values
from methods.blocks.clip.attention_layers import AttentionLayer
from methods.blocks.deop.config import SeveranceKind
from methods.blocks.padding import Grid
from methods.blocks.resizing import resize_maps


def make_attention(kind: SeveranceKind, *, masks: Tensor, grid: Grid, num_prefix: int) -> Attend:
    """Return the attention that severs the patches of images with masks.

    Args:
        kind: Kind of severance.
        masks: Logits of the masks (B, N, h, w), of any resolution.
        grid: Grid of the patches.
        num_prefix: Number P of tokens before the patches.
    """
    if kind == "value":
        return attend_to_itself
    probabilities = resize_maps(masks, grid).sigmoid().flatten(2)  # (B, N, L)
    ones = probabilities.new_ones(*probabilities.shape[:2], num_prefix)
    of_tokens = torch.cat([ones, probabilities], dim=2)  # (B, N, P + L)
    if kind == "mask weight":
        return partial(weight_values, weights=of_tokens.sum(dim=1))
    affinity = (of_tokens.transpose(1, 2) @ of_tokens).softmax(dim=2)  # (B, P + L, P + L)
    return partial(attend_with, weights=affinity.unsqueeze(1))


def weight_values(layer: AttentionLayer, tokens: Tensor, *, weights: Tensor) -> Tensor:
    """Multiply the value of each token by a number: l gets (Σ_n m_n(l)) · v_l.

    Args:
        layer: Attention layer with H heads of dimension d.
        tokens: (B, L, C) normalized.
        weights: Sums of masks (B, L).

    Returns:
        (B, L, C).
    """
    values = project_values(layer, tokens)  # (B, H, L, d)
    return merge_heads(layer, weights[:, None, :, None].to(values.dtype) * values)
