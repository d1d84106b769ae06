"""Scores that the features of another model make finer (CLIPer's fine-grained compensation by a vision model)."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from methods.blocks.dense_clip.attention_source import ProxyAttention
from methods.blocks.dense_clip.scores import DenseScores
from methods.blocks.padding import Grid

EPS = 1e-5
"""Added to the maximum of a map before the division by it."""


class FineScores(DenseScores):
    """Scores of classes, averaged over positions that another model holds for similar.

    Args:
        scores: Coarse scores, at least 0.
        source: The other model, and how its similarities become weights.
    """

    def __init__(self, scores: DenseScores, *, source: ProxyAttention) -> None:
        super().__init__(scores.encoder, interpolation=scores.interpolation, temperature=scores.temperature)
        self.scores, self.source = scores, source

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the scores of K classes; shapes as in `DenseScores.forward`, on the grid of the other model."""
        coarse: Tensor = self.scores(images, classes)
        weights, grid = self.source.weigh(images)
        return match_peaks(spread_scores(coarse, weights, grid=grid), coarse)


def spread_scores(scores: Tensor, weights: Tensor, *, grid: Grid) -> Tensor:
    """Resize scores to another grid and average them over its positions.

    Args:
        scores: (B, K, h, w).
        weights: (B, H·W, H·W), rows sum to 1.
        grid: (H, W).

    Returns:
        (B, K, H, W).
    """
    resized = F.interpolate(scores, size=grid, mode="bilinear", align_corners=False).flatten(2)  # (B, K, H·W)
    spread: Tensor = (resized @ weights.transpose(1, 2)).unflatten(2, grid)
    return spread


def match_peaks(fine: Tensor, coarse: Tensor) -> Tensor:
    """Scale every fine map so that its maximum is the mean of the maxima of the fine and the coarse map.

    The official code scales after resizing the maps to the image, we scale the maps themselves.

    Args:
        fine: (B, K, H, W), at least 0.
        coarse: (B, K, h, w), at least 0.

    Returns:
        (B, K, H, W).
    """
    peaks, others = (maps.amax(dim=(2, 3), keepdim=True) for maps in (fine, coarse))
    return fine / (peaks + EPS) * (peaks + others) / 2
