"""Scores from tokens that CLIP's own intermediate features calibrate (SC-CLIP)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip.attention import merge_heads, project_heads
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.clip.positions import Interpolation
from methods.blocks.dense_clip.block_inputs import collect_outputs
from methods.blocks.dense_clip.outliers import find_outliers, replace_by_neighbors
from methods.blocks.dense_clip.scores import DenseScores
from methods.blocks.dense_clip.similarity import aggregate, compute_similarities, weigh_above_mean
from methods.blocks.padding import Grid

NEIGHBORS = 30
"""Neighbors of the outlier factor."""

SCALE = 3.0
"""Factor of the similarities above their mean before the softmax."""


class SelfCalibratedScores(DenseScores):
    """Scaled cosines of embeddings from calibrated tokens (SC-CLIP, arXiv 2411.15869).

    Outliers among the tokens before the last block are replaced by their neighbors; similar tokens are averaged before
    and after the last block; its attention is the mean of the similarity of intermediate features and of keys; and
    what the last block makes of the sum of several blocks is added.

    Args:
        encoder: CLIP's image encoder of N blocks.
        before: Index of the block whose output says what is averaged before the last block and attended to in it.
        after: Index of the block whose output says what is averaged after it; None to average nothing then.
        levels: Indices of the blocks whose outputs are added; empty for none.
        outliers: Share of the tokens that are outliers.
        threshold: Similarity below which positions are not averaged.
        class_share: Share of the class token that is added to the output of the last block.
        interpolation: Interpolation of CLIP's positions.
        temperature: Inverse temperature of the cosines.
    """

    def __init__(
        self,
        encoder: ClipImageEncoder,
        *,
        before: int,
        after: int | None,
        levels: tuple[int, ...],
        outliers: float,
        threshold: float,
        class_share: float,
        interpolation: Interpolation,
        temperature: float,
    ) -> None:
        super().__init__(encoder, interpolation=interpolation, temperature=temperature)
        self.before, self.after, self.levels, self.outliers = before, after, levels, outliers
        self.threshold, self.class_share = threshold, class_share

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the scores of K classes; shapes as in `DenseScores.forward`."""
        tokens, grid = self.embed(images)
        levels = collect_outputs(self.encoder, tokens, grid=grid)
        outputs = [[level[[index]] for level in levels] for index in range(len(images))]
        dense = torch.cat([self._calibrate(some, grid) for some in outputs])
        return self.compare(to_map(dense, grid), classes)

    def _calibrate(self, outputs: list[Tensor], grid: Grid) -> Tensor:
        """Compute embeddings (1, H·W, D) from the outputs (1, P + H·W, C) of all blocks but the last."""
        start = self.encoder.num_prefix
        class_token, patches = outputs[-1][:, :1], outputs[-1][:, start:]
        outliers = find_outliers(patches[0], neighbors=NEIGHBORS, share=self.outliers)[None]
        repaired = replace_by_neighbors(patches, outliers, grid=grid)
        similarities = compute_similarities(replace_by_neighbors(outputs[self.before][:, start:], outliers, grid=grid))
        averaged = aggregate(repaired, similarities, threshold=self.threshold)
        dense = self._run_last_block(averaged, class_token, grid=grid, similarities=similarities)
        after = None if self.after is None else compute_similarities(outputs[self.after][:, start:])
        dense = self._average_after(dense, after)
        if self.levels:
            several = torch.stack([outputs[level] for level in self.levels]).sum(dim=0)
            added = several[:, start:], several[:, :1]
            more = self._run_last_block(*added, grid=grid, similarities=similarities)
            dense = dense + self._average_after(more, after)
        return self.encoder.project(dense)

    def _average_after(self, patches: Tensor, similarities: Tensor | None) -> Tensor:
        """Average patches (1, N, C) over similar ones, by similarities (1, N, N) or not at all."""
        return patches if similarities is None else aggregate(patches, similarities, threshold=self.threshold)

    def _run_last_block(self, patches: Tensor, class_token: Tensor, *, grid: Grid, similarities: Tensor) -> Tensor:
        """Run the last block's attention alone: patches (1, N, C), class token (1, 1, C), similarities (1, N, N)."""
        block = self.encoder.list_blocks(grid)[-1]
        _, key, value = project_heads(block.attention, block.normalize(patches))
        by_key = F.scaled_dot_product_attention(key, key, value)  # (1, H, N, d)
        by_feature = weigh_above_mean(similarities, shift=1.0, scale=SCALE)[:, None] @ value
        attended = merge_heads(block.attention, (by_key + by_feature) / 2)
        return attended + self.class_share * class_token if self.class_share else attended
