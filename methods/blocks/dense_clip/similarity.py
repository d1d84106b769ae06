"""Similarities of patches and what they aggregate."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

EPS = 1e-6
"""Added to the sum of similarities before the division by it."""


def compute_similarities(features: Tensor) -> Tensor:
    """Compute the cosines of all pairs of positions: features (B, N, C) to (B, N, N)."""
    unit_vectors = F.normalize(features, dim=2)
    return unit_vectors @ unit_vectors.transpose(1, 2)


def weigh_above_mean(similarities: Tensor, *, shift: float, scale: float) -> Tensor:
    """Compute the softmax over the positive scale·(S - shift·mean S); a position without any attends to itself.

    Args:
        similarities: S, (B, N, N).
        shift: Factor of the mean of S over all pairs of an image.
        scale: Factor of the difference.

    Returns:
        (B, N, N), rows sum to 1.
    """
    centered = scale * (similarities - shift * similarities.mean(dim=(1, 2), keepdim=True))
    is_dropped = centered < 0
    is_dropped.diagonal(dim1=1, dim2=2).fill_(False)  # no similarity of a row is above that of the position itself
    weights: Tensor = centered.masked_fill(is_dropped, -float("inf")).softmax(dim=2)
    return weights


def aggregate(tokens: Tensor, similarities: Tensor, *, threshold: float) -> Tensor:
    """Replace tokens by their mean over similar positions.

    Args:
        tokens: (B, N, C).
        similarities: (B, N, N), the weights of the mean.
        threshold: Similarity below which a position has no weight.

    Returns:
        (B, N, C).
    """
    weights = similarities.masked_fill(similarities < threshold, 0)
    return weights / (weights.sum(dim=2, keepdim=True) + EPS) @ tokens
