"""Scores from the attention and the tokens of CLIP's earlier blocks (CLIPer's early-layer fusion)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention import attend_with, run_block
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.clip.positions import Interpolation
from methods.blocks.dense_clip.block_inputs import iterate_blocks
from methods.blocks.dense_clip.scores import DenseScores
from methods.blocks.padding import Grid

Sinkhorn = Literal["code", "once"]
"""Scaling of the fused attention: as in the official code, where each embedding sees one more round of it than the one
before, or one round for all, as the paper says."""


class EarlyFusionScores(DenseScores):
    """Class probabilities from the tokens of all blocks, under the attention of all blocks but the last.

    Every block gives an embedding: the tokens that enter it pass through the values and the output projection of the
    last block under the fused attention. The small values of one block's probabilities are dropped, and the fused
    attention spreads them; to the result the mean of all blocks' probabilities is added, as in the official code with
    the small values of that block dropped, too.

    Args:
        encoder: CLIP's image encoder.
        sinkhorn: Scaling of the fused attention.
        block: Index of the block whose probabilities are spread.
        threshold: Share of a class's maximum below which these probabilities are dropped.
        is_averaged: Whether the mean over the blocks is added.
        interpolation: Interpolation of CLIP's positions.
        temperature: Inverse temperature of the cosines.
    """

    def __init__(
        self,
        encoder: ClipImageEncoder,
        *,
        sinkhorn: Sinkhorn,
        block: int,
        threshold: float,
        is_averaged: bool,
        interpolation: Interpolation,
        temperature: float,
    ) -> None:
        super().__init__(encoder, interpolation=interpolation, temperature=temperature)
        self.sinkhorn, self.block, self.threshold, self.is_averaged = sinkhorn, block, threshold, is_averaged

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the scores of K classes; shapes as in `DenseScores.forward`."""
        tokens, grid = self.embed(images)
        embeddings, total = self._run_early_blocks(self.encoder.enter(tokens), grid)
        nothing = F.normalize(classes.mean(dim=0, keepdim=True), dim=1)  # nothing in particular
        candidates, start = torch.cat([classes, nothing]), self.encoder.num_prefix  # (K + 1, D)
        probabilities = []
        for some, attention in zip(embeddings, iterate_fused(total, sinkhorn=self.sinkhorn), strict=False):
            dense = self._project(some, attention[:, :, start:], grid)
            cosines = self.compare(to_map(dense, grid), candidates)
            probabilities.append(cosines.softmax(dim=1)[:, : len(classes)].flatten(2))  # (B, K, h·w)
        probabilities[self.block] = drop_small(probabilities[self.block], threshold=self.threshold)
        spread = probabilities[self.block] @ attention.mean(dim=1)[:, start:, start:]
        fusion = spread + torch.stack(probabilities).mean(dim=0) if self.is_averaged else spread
        scores: Tensor = fusion.unflatten(2, grid)
        return scores

    def _run_early_blocks(self, tokens: Tensor, grid: Grid) -> tuple[list[Tensor], Tensor]:
        """Run all blocks but the last: tokens (B, L, C) to what is projected, and the sum of attentions (B, H, L, L).

        The last embedding is the tokens that enter the last block; the others are normalized by their own block first.
        """
        embeddings, total = [], torch.zeros((), device=tokens.device)
        visible = iterate_blocks(self.encoder, tokens, grid=grid)
        for block, (weights, after) in zip(self.encoder.list_blocks(grid), visible, strict=False):
            embeddings.append(block.normalize(tokens))
            total, tokens = total + weights, after
        return [*embeddings, tokens], total

    def _project(self, tokens: Tensor, attention: Tensor, grid: Grid) -> Tensor:
        """Compute embeddings (B, N, D) of the patches of tokens (B, L, C), under an attention (B, H, N, L)."""
        attend = partial(attend_with, weights=attention)
        return self.encoder.project(
            run_block(self.encoder.list_blocks(grid)[-1], tokens, attend=attend, tail="reduced")
        )


def drop_small(scores: Tensor, *, threshold: float) -> Tensor:
    """Set what is below a share of its class's maximum to zero: (B, K, N) to (B, K, N)."""
    return scores.masked_fill(scores < threshold * scores.amax(dim=2, keepdim=True), 0)


def iterate_fused(weights: Tensor, *, sinkhorn: Sinkhorn) -> Iterator[Tensor]:
    """Yield the attention of each embedding, made from the sum of the earlier attentions.

    Columns, then rows are scaled to sum to 1; the mean with the transpose is taken; the mean of each column is
    subtracted; what is below 0 is dropped; rows are scaled to sum to 1.

    Args:
        weights: Sum of attentions, (B, H, L, L).
        sinkhorn: Rounds of the first scaling.

    Yields:
        (B, H, L, L).
    """
    scaled = weights.clone()
    while True:
        fused = _fuse(_scale_in_place(scaled))
        yield fused
        while sinkhorn == "once":
            yield fused


def _scale_in_place(weights: Tensor) -> Tensor:
    """Scale columns, then rows of (B, H, L, L) to sum to 1; 12 heads of 589 tokens are 17 MB, so nothing is copied."""
    return weights.div_(weights.sum(dim=2, keepdim=True)).div_(weights.sum(dim=3, keepdim=True))


def _fuse(scaled: Tensor) -> Tensor:
    """Keep what is above the mean of its column, of twice the mean with the transpose: (B, H, L, L) to the same."""
    symmetric = scaled + scaled.transpose(2, 3)
    positive = symmetric.sub_(symmetric.mean(dim=2, keepdim=True)).clamp_(min=0)
    return positive.div_(positive.sum(dim=3, keepdim=True))
