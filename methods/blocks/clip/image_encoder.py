"""CLIP's image encoder, block by block, for any grid, with the attentions that make its features dense.

Tokens are (B, P + H·W, C): P tokens before the patches, the class token first, then the patches in row-major order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
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
from methods.blocks.clip.positions import Interpolation
from methods.blocks.clip.residual_blocks import ResidualBlock
from methods.blocks.clip.tower import OpenClipTower, Tower
from methods.blocks.padding import Grid

Rgb = tuple[float, float, float]


class ClipImageEncoder(nn.Module):
    """The frozen image encoder of an open_clip model, which can be entered before any block.

    Whatever network open_clip built, tokens are (B, P + h·w, C), see `Tower`. A method that needs the class token calls
    `check_class_embedding` in its config's `check_plan`.

    Args:
        visual: The open_clip `VisionTransformer` or `TimmModel`.

    Attributes:
        tower: The network as the steps that an image passes through.
        width: Length C of a token.
        embed_dim: Length D of an embedding that images and texts share.
        patch_size: Side of a patch in pixels.
        trained_grid: Grid that the positional embedding was trained on.
        num_prefix: Number P of tokens before the patches: 1 for a class token, more with registers, 0 for SigLIP.
        has_class_embedding: Whether the embedding of an image is that of its class token alone.
        mean: Pixel means, RGB in 0-1.
        std: Pixel standard deviations, RGB in 0-1.
        depth: Number of blocks.

    Raises:
        ValueError: The network is no ViT, or has parts that are not supported.
    """

    visual: Any

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual
        self.tower = build_tower(visual)
        self.width, self.embed_dim, self.depth = self.tower.width, self.tower.embed_dim, self.tower.depth
        self.patch_size, self.trained_grid = self.tower.patch_size, self.tower.trained_grid
        self.num_prefix, self.has_class_embedding = self.tower.num_prefix, self.tower.has_class_embedding
        self.mean: Rgb = visual.image_mean
        self.std: Rgb = visual.image_std

    def embed(self, images: Tensor, *, interpolation: Interpolation = "bilinear") -> tuple[Tensor, Grid]:
        """Compute the tokens before the first block: class token and patches, with their positions added.

        Args:
            images: (B, 3, H, W) normalized, H and W multiples of the patch size.
            interpolation: Interpolation of positions on another grid than the trained one.

        Returns:
            Tokens (B, P + h·w, C) and their grid (h, w).
        """
        patches = self.tower.embed_patches(images)  # (B, C, h, w)
        grid = (patches.shape[2], patches.shape[3])
        positions = self.tower.compute_positions(grid, interpolation=interpolation)
        prefix = self.tower.get_prefix().expand(len(images), -1, -1)
        tokens = torch.cat([prefix, patches.flatten(2).transpose(1, 2)], dim=1)  # (B, P + h·w, C)
        return tokens + positions, grid

    def enter(self, tokens: Tensor) -> Tensor:
        """Apply what precedes the first block, the norm `ln_pre` of OpenAI's CLIP: (B, L, C) to (B, L, C)."""
        return self.tower.enter(tokens)

    def list_blocks(self, grid: Grid | None = None) -> Sequence[ResidualBlock]:
        """Return all blocks for tokens of a grid.

        Args:
            grid: Grid (h, w) of the patches, which encoders with rotary positions (EVA02, PE) need.

        Raises:
            ValueError: The grid is None, but the positions are rotary.
        """
        return self.tower.list_blocks(grid)

    def run_blocks(self, tokens: Tensor, *, start: int, stop: int, grid: Grid | None = None) -> Tensor:
        """Run blocks start..stop-1 as trained, and before block 0 what precedes it.

        Args:
            tokens: (B, L, C) before block `start`.
            start: Index of the first block to run.
            stop: Index after the last block to run.
            grid: Grid of the patches, see `list_blocks`.

        Returns:
            (B, L, C).
        """
        if start == 0:
            tokens = self.enter(tokens)
        for block in self.list_blocks(grid)[start:stop]:
            tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
        return tokens

    def run_last_blocks(
        self,
        tokens: Tensor,
        *,
        start: int,
        attention: Attention | Attend = "vanilla",
        tail: Tail = "full",
        grid: Grid | None = None,
    ) -> Tensor:
        """Run the blocks from `start` to the end, as `run_blocks` does, the final norm and the projection.

        Args:
            tokens: (B, L, C) before block `start`.
            start: Index of the first block to run; 0 for all of them.
            attention: Attention of the very last block, by name or as a function.
            tail: What follows the attention of the very last block.
            grid: Grid of the patches, see `list_blocks`.

        Returns:
            (B, L, D) embeddings, not normalized.
        """
        normalized = self.run_to_norm(tokens, start=start, attention=attention, tail=tail, grid=grid)
        return self.tower.project(normalized)

    def run_to_norm(
        self,
        tokens: Tensor,
        *,
        start: int,
        attention: Attention | Attend = "vanilla",
        tail: Tail = "full",
        grid: Grid | None = None,
    ) -> Tensor:
        """Run the blocks from `start` to the end and the final norm, but not the projection.

        Args:
            tokens: (B, L, C) before block `start`.
            start: Index of the first block to run; 0 for all of them.
            attention: Attention of the very last block, by name or as a function.
            tail: What follows the attention of the very last block.
            grid: Grid of the patches, see `list_blocks`.

        Returns:
            (B, L, C).
        """
        tokens = self.run_blocks(tokens, start=start, stop=self.depth - 1, grid=grid)
        attend = ATTENTIONS[attention] if isinstance(attention, str) else attention
        tokens = run_block(self.list_blocks(grid)[-1], tokens, attend=attend, tail=tail)
        return self.tower.normalize(tokens)

    def project(self, tokens: Tensor) -> Tensor:
        """Apply the final norm and the projection to each token by itself.

        An encoder that pools by attention (SigLIP) has no projection of tokens: each takes the value path of the
        pooling, which gives the embedding of an image that consists of this token.

        Args:
            tokens: (B, L, C) after the last block.

        Returns:
            (B, L, D) embeddings, not normalized.
        """
        return self.tower.project(self.tower.normalize(tokens))

    def encode_patches(
        self, images: Tensor, *, attention: Attention | Attend = "vanilla", tail: Tail = "full"
    ) -> Tensor:
        """Compute a dense map of embeddings, without the tokens before the patches.

        Args:
            images: (B, 3, H, W) normalized, H and W multiples of the patch size.
            attention: Attention of the very last block, by name or as a function.
            tail: What follows the attention of the very last block.

        Returns:
            (B, D, h, w) embeddings, not normalized.
        """
        tokens, grid = self.embed(images)
        tokens = self.run_last_blocks(tokens, start=0, attention=attention, tail=tail, grid=grid)
        return to_map(tokens[:, self.num_prefix :], grid)

    def encode_image(self, tokens: Tensor, *, start: int = 0, grid: Grid | None = None) -> Tensor:
        """Compute the embeddings of images that the model was trained with, from the class token or by its pooling.

        Args:
            tokens: (B, L, C) before block `start`.
            start: Index of the first block to run; 0 for all of them.
            grid: Grid of the patches, see `list_blocks`.

        Returns:
            (B, D) embeddings, not normalized.
        """
        if not self.has_class_embedding:
            return self.tower.pool(self.run_to_norm(tokens, start=start, grid=grid))
        return self.run_last_blocks(tokens, start=start, attention=attend_from_first, grid=grid)[:, 0]

    def encode_class_token(self, tokens: Tensor, *, grid: Grid | None = None) -> Tensor:
        """Compute CLIP's embeddings of images; in the last block, only the class token is computed.

        Args:
            tokens: (B, L, C) before the first block.
            grid: Grid of the patches, see `list_blocks`.

        Returns:
            (B, D) embeddings, not normalized.

        Raises:
            ValueError: The image encoder has no class token with an embedding.
        """
        if not self.has_class_embedding:
            raise ValueError("this image encoder has no class token with an embedding: use `encode_image`")
        return self.encode_image(tokens, grid=grid)


def build_tower(visual: Any) -> Tower:
    """Return the tower of an open_clip image encoder.

    Raises:
        ValueError: The network is no ViT, or has parts that are not supported.
    """
    if hasattr(visual, "trunk"):
        from methods.blocks.clip.timm_tower import TimmTower  # not above: timm takes seconds to import

        return TimmTower(visual)
    if not hasattr(visual, "conv1") or not hasattr(visual, "transformer"):
        raise ValueError(f"no ViT image encoder: {type(visual).__name__}")
    return OpenClipTower(visual)


def to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """Arrange patch tokens as a map.

    Args:
        tokens: (B, H·W, C) of the patches, in row-major order.
        grid: (H, W).

    Returns:
        (B, C, H, W).
    """
    token_map: Tensor = tokens.transpose(1, 2).unflatten(2, grid)
    return token_map
