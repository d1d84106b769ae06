"""The CLIP Semantic Head (CSH): the last blocks of CLIP, frozen, after a trained adapter."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.heads.adapter import Adapter, set_linear
from methods.blocks.heads.class_token import ClassTokenSource
from methods.blocks.heads.config import BlockWeights
from methods.blocks.heads.head import Head, pool_to_grid
from methods.blocks.heads.own_blocks import provide_blocks
from methods.blocks.padding import Grid
from methods.blocks.ridge import Ridge


class ClipSemanticHead(Head):
    """Adapter, CLIP's positions, the last frozen blocks, CLIP's own norm and projection.

    With all blocks, adapter and positions are followed by CLIP's `ln_pre`, as in CLIP, where the adapter replaces the
    patch embedding.

    Args:
        image_encoder: The frozen CLIP.
        norm: Norm of the features (B, C, h, w).
        adapter: Map of the normalized features to tokens, (B, C, h, w) to (B, width, h, w).
        class_token: Source of the class token.
        positions: Whether CLIP's positional embedding is added to the tokens.
        blocks: Number of CLIP's last blocks; None for all of them.
        block_weights: Weights of these blocks, see `CshConfig`.
        attention: Attention of the very last block.
        tail: What follows that attention.

    Raises:
        ValueError: CLIP has fewer blocks.
    """

    def __init__(
        self,
        image_encoder: ClipImageEncoder,
        *,
        norm: nn.Module,
        adapter: Adapter,
        class_token: ClassTokenSource,
        positions: bool = True,
        blocks: int | None,
        block_weights: BlockWeights = "CLIP",
        attention: Attention,
        tail: Tail,
    ) -> None:
        super().__init__()
        self.image_encoder, self.attention, self.tail = image_encoder, attention, tail
        check_depth(blocks or 0, depth=image_encoder.depth)
        self.start = 0 if blocks is None else image_encoder.depth - blocks
        self.last_blocks = provide_blocks(image_encoder, start=self.start, tail=tail, weights=block_weights)
        self.norm, self.adapter, self.class_token = norm, adapter, class_token
        self.has_positions = positions

    def compute_tokens(self, features: Tensor) -> Tensor:
        """Compute the tokens before the first frozen block: (B, C, h, w) to (B, T + h·w, width)."""
        features = self.norm(features)
        patches = self.adapter(features).flatten(2).transpose(1, 2)  # (B, h·w, width)
        class_token = self.class_token(features.mean(dim=(2, 3)))  # (B, T, width), T = 1 or 0
        positions = self._compute_positions((features.shape[2], features.shape[3]))
        start = self.image_encoder.num_prefix - self.class_token.count
        return torch.cat([class_token, patches], dim=1) + positions[start:]

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""
        grid = (features.shape[2], features.shape[3])
        dense = self.last_blocks.run_last_blocks(
            self.compute_tokens(features), start=self.start, attention=self.attention, tail=self.tail, grid=grid
        )
        return to_map(dense[:, self.class_token.count :], grid)

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Regress CLIP's tokens before the first frozen block on the features under each patch.

        Args:
            pairs: Features (B, C, h, w), CLIP's tokens before the first block (B, P + H·W, width) and their
                grid (H, W).
        """
        patches, class_tokens = Ridge(), []
        for features, tokens, grid in pairs:
            features = self.norm(features)
            encoder = self.image_encoder
            entering = encoder.run_blocks(tokens, start=0, stop=self.start, grid=grid) if self.start else tokens
            target = entering - self._compute_positions(grid)
            patches.add(pool_to_grid(features, grid), target[:, encoder.num_prefix :].flatten(0, 1))
            class_tokens.append((features.mean(dim=(2, 3)), target[:, 0]))
        set_linear(self.adapter.linear, *patches.solve())
        self.class_token.fit(class_tokens)

    def _compute_positions(self, grid: Grid) -> Tensor:
        """Return what is added to the tokens of a grid (h, w): (P + h·w, width), zeros without positions."""
        positions = self.image_encoder.tower.compute_positions(grid, interpolation="bilinear")
        return positions if self.has_positions else torch.zeros_like(positions)


def check_depth(blocks: int, *, depth: int) -> None:
    """Check that a CLIP has the blocks of a head.

    Raises:
        ValueError: CLIP has fewer blocks.
    """
    if blocks > depth:
        raise ValueError(f"head.blocks is {blocks}, but this CLIP has only {depth} blocks")
