"""Scores from an attention that intermediate blocks and a first segmentation correct (ResCLIP)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention import merge_heads, project_heads
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.clip.positions import Interpolation
from methods.blocks.dense_clip.block_inputs import average_weights
from methods.blocks.dense_clip.feedback import compute_feedback, find_labels, vote_by_patch
from methods.blocks.dense_clip.neighbors import compute_gaussian, pad_prefix
from methods.blocks.dense_clip.scores import DenseScores
from methods.blocks.padding import Grid
from methods.blocks.refinement import PamrConfig, refine_by_color

SIGMA = 5.0
"""Standard deviation of the Gaussian of distances and of the blur of the feedback, in patches."""


class Blend(NamedTuple):
    """Blend of two attentions or logits, scale·((1 - share)·first + share·second)."""

    scale: float
    share: float

    @property
    def weights(self) -> tuple[float, float]:
        """Factors of the first and of the second."""
        return self.scale * (1 - self.share), self.scale * self.share

    def mix(self, first: Tensor, second: Tensor) -> Tensor:
        """Return the blend."""
        weights = self.weights
        return weights[0] * first + weights[1] * second


class ResidualAttentionScores(DenseScores):
    """Scaled cosines after a last block with a corrected attention from keys to keys (ResCLIP, arXiv 2411.15851).

    The attention is blended with the mean attention of intermediate blocks ("residual cross-correlation"), and its
    logits with what a first segmentation suggests ("semantic feedback").

    Args:
        encoder: CLIP's image encoder.
        blocks: Indices of the intermediate blocks; empty for none.
        residual: Blend of the attention with theirs.
        feedback: Blend of the logits with the feedback; None for no feedback.
        threshold: Probability below which a pixel of the first segmentation is unsure.
        fallback: Index of the class that unsure pixels get; None for a label of their own.
        interpolation: Interpolation of CLIP's positions.
        temperature: Inverse temperature of the cosines.
    """

    def __init__(
        self,
        encoder: ClipImageEncoder,
        *,
        blocks: tuple[int, ...],
        residual: Blend,
        feedback: Blend | None,
        threshold: float,
        fallback: int | None,
        interpolation: Interpolation,
        temperature: float,
    ) -> None:
        super().__init__(encoder, interpolation=interpolation, temperature=temperature)
        self.blocks, self.residual, self.feedback = blocks, residual, feedback
        self.threshold, self.fallback = threshold, fallback

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the scores of K classes; shapes as in `DenseScores.forward`."""
        tokens, grid = self.embed(images)
        middle, tokens = average_weights(self.encoder, tokens, grid=grid, blocks=self.blocks)
        scores = self._score(tokens, grid, classes, middle=middle, hint=None)
        if self.feedback is None:
            return scores
        hint = torch.stack([self._suggest(*pair) for pair in zip(scores, self.normalize(images), strict=True)])
        return self._score(tokens, grid, classes, middle=middle, hint=hint[:, None])

    def _score(
        self, tokens: Tensor, grid: Grid, classes: Tensor, *, middle: Tensor | None, hint: Tensor | None
    ) -> Tensor:
        """Score the tokens (B, L, C) before the last block.

        Args:
            tokens: (B, L, C).
            grid: Grid of the patches.
            classes: (K, D).
            middle: Mean attention of intermediate blocks (B, H, L, L).
            hint: Feedback (B, 1, h·w, h·w).

        Returns:
            (B, K, h, w).
        """
        block, start = self.encoder.list_blocks(grid)[-1], self.encoder.num_prefix
        _, key, value = project_heads(block.attention, block.normalize(tokens))
        query, length = key[:, :, start:], key.shape[2]  # patches alone attend
        bias = pad_prefix(compute_gaussian(grid, sigma=SIGMA), length)[start:].to(key)
        if hint is not None and self.feedback is not None:
            first, second = self.feedback.weights
            query, bias = first * query, bias + second * pad_prefix(hint, length)[:, :, start:]
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        if middle is not None:
            attended = self.residual.mix(attended, middle[:, :, start:] @ value)
        return self.compare(to_map(self.encoder.project(merge_heads(block.attention, attended)), grid), classes)

    def _suggest(self, scores: Tensor, image: Tensor) -> Tensor:
        """Compute the feedback (h·w, h·w) from scores (K, h, w) and the normalized image (3, H, W)."""
        cosines = F.interpolate(scores[None] / self.temperature, size=image.shape[1:], mode="bilinear")
        pamr = PamrConfig()
        refined = refine_by_color(cosines, image[None], rounds=pamr.rounds, dilations=pamr.dilations)[0]
        labels = find_labels(refined, temperature=self.temperature, threshold=self.threshold, fallback=self.fallback)
        return compute_feedback(vote_by_patch(labels, patch_size=self.encoder.patch_size), sigma=SIGMA)
