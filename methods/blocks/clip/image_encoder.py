"""CLIP's image encoder, block by block, for any grid, with the attentions that make its features dense.

Tokens are (B, 1 + H·W, C): first the class token, then the patches in row-major order, as in open_clip's `ViT`.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.attention import (
    ATTENTIONS,
    Attend,
    Attention,
    Tail,
    attend_as_trained,
    attend_from_first,
    run_block,
)
from methods.blocks.padding import Grid

Rgb = tuple[float, float, float]


def resize_positions(positions: Tensor, *, trained: Grid, grid: Grid) -> Tensor:
    """Resize CLIP's positional embedding to another grid: patches bilinearly, the class token's row unchanged.

    Args:
        positions: (1 + h·w, C) for the grid (h, w) that CLIP was trained on.
        trained: The grid (h, w).
        grid: The new grid (H, W).

    Returns:
        (1 + H·W, C).
    """
    if grid == trained:
        return positions
    patches = positions[1:].T.reshape(1, -1, *trained)  # (1, C, h, w)
    resized = F.interpolate(patches, size=grid, mode="bilinear", align_corners=False)
    return torch.cat([positions[:1], resized[0].flatten(1).T])


class ClipImageEncoder(nn.Module):
    """The frozen image encoder of an open_clip model, which can be entered before any block.

    Args:
        visual: The open_clip `VisionTransformer`.

    Attributes:
        width: Length C of a token.
        embed_dim: Length D of an embedding that images and texts share.
        patch_size: Side of a patch in pixels.
        trained_grid: Grid that the positional embedding was trained on.
        mean: Pixel means, RGB in 0-1.
        std: Pixel standard deviations, RGB in 0-1.
        depth: Number of blocks.
    """

    visual: Any

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual
        self.width: int = visual.conv1.out_channels
        self.embed_dim: int = visual.proj.shape[1]
        self.patch_size: int = visual.patch_size[0]
        self.trained_grid: Grid = visual.grid_size
        self.mean: Rgb = visual.image_mean
        self.std: Rgb = visual.image_std
        self.depth: int = len(visual.transformer.resblocks)

    def embed(self, images: Tensor) -> tuple[Tensor, Grid]:
        """Compute the tokens before the first block: class token and patches, with their positions added.

        Args:
            images: (B, 3, H, W) normalized, H and W multiples of the patch size.

        Returns:
            Tokens (B, 1 + h·w, C) and their grid (h, w).
        """
        patches = self.visual.conv1(images)  # (B, C, h, w)
        grid = (patches.shape[2], patches.shape[3])
        positions = resize_positions(self.visual.positional_embedding, trained=self.trained_grid, grid=grid)
        class_token = self.visual.class_embedding.expand(len(images), 1, -1)
        tokens = torch.cat([class_token, patches.flatten(2).transpose(1, 2)], dim=1)  # (B, 1 + h·w, C)
        return tokens + positions, grid

    def run_blocks(self, tokens: Tensor, *, start: int, stop: int) -> Tensor:
        """Run blocks start..stop-1 as trained, and before block 0 the norm `ln_pre`.

        Args:
            tokens: (B, L, C) before block `start`.
            start: Index of the first block to run.
            stop: Index after the last block to run.

        Returns:
            (B, L, C).
        """
        if start == 0:
            tokens = self.visual.ln_pre(tokens)
        for block in self.visual.transformer.resblocks[start:stop]:
            tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
        return tokens

    def run_last_blocks(
        self, tokens: Tensor, *, start: int, attention: Attention | Attend = "vanilla", tail: Tail = "full"
    ) -> Tensor:
        """Run the blocks from `start` to the end, as `run_blocks` does, the final norm and the projection.

        Args:
            tokens: (B, L, C) before block `start`.
            start: Index of the first block to run; 0 for all of them.
            attention: Attention of the very last block, by name or as a function.
            tail: What follows the attention of the very last block.

        Returns:
            (B, L, D) embeddings, not normalized.
        """
        tokens = self.run_blocks(tokens, start=start, stop=self.depth - 1)
        attend = ATTENTIONS[attention] if isinstance(attention, str) else attention
        tokens = run_block(self.visual.transformer.resblocks[-1], tokens, attend=attend, tail=tail)
        projected: Tensor = self.visual.ln_post(tokens) @ self.visual.proj
        return projected

    def encode_class_token(self, tokens: Tensor) -> Tensor:
        """Compute CLIP's embeddings of images; in the last block, only the class token is computed.

        Args:
            tokens: (B, L, C) before the first block.

        Returns:
            (B, D) embeddings, not normalized.
        """
        return self.run_last_blocks(tokens, start=0, attention=attend_from_first)[:, 0]


def to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """Arrange patch tokens as a map.

    Args:
        tokens: (B, H·W, C) without the class token, in row-major order.
        grid: (H, W).

    Returns:
        (B, C, H, W).
    """
    token_map: Tensor = tokens.transpose(1, 2).unflatten(2, grid)
    return token_map
