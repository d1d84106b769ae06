"""Networks behind CLIP's image encoder under one interface, and that of open_clip's own ViT."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from methods.blocks.clip.positions import Interpolation, resize_positions
from methods.blocks.clip.residual_blocks import OpenClipBlock, ResidualBlock
from methods.blocks.padding import Grid


class Tower(ABC):
    """A ViT as the steps that an image passes through.

    Tokens are (B, P + h·w, C): P tokens before the patches, of which the first is the class token if there is one and
    the others are registers, then the patches in row-major order.

    Attributes:
        width: Length C of a token.
        embed_dim: Length D of an embedding that images and texts share.
        patch_size: Side of a patch in pixels.
        trained_grid: Grid that the positional embedding was trained on.
        depth: Number of blocks.
        num_prefix: Number P of tokens before the patches.
        has_class_embedding: Whether the embedding of an image is that of its class token alone.
    """

    width: int
    embed_dim: int
    patch_size: int
    trained_grid: Grid
    depth: int
    num_prefix: int
    has_class_embedding: bool

    @abstractmethod
    def embed_patches(self, images: Tensor) -> Tensor:
        """Compute patches without positions: images (B, 3, H, W), normalized, to (B, C, h, w)."""

    @abstractmethod
    def get_prefix(self) -> Tensor:
        """Return the tokens before the patches without their positions, (P, C)."""

    @abstractmethod
    def compute_positions(self, grid: Grid, *, interpolation: Interpolation) -> Tensor:
        """Return what is added to the tokens of a grid (h, w), (P + h·w, C)."""

    @abstractmethod
    def enter(self, tokens: Tensor) -> Tensor:
        """Compute what enters the first block: tokens (B, L, C) with positions to (B, L, C)."""

    @abstractmethod
    def list_blocks(self, grid: Grid | None) -> Sequence[ResidualBlock]:
        """Return all blocks for tokens of a grid; None if it is not known.

        Raises:
            ValueError: The grid is None, but the blocks depend on it.
        """

    @abstractmethod
    def normalize(self, tokens: Tensor) -> Tensor:
        """Apply the norm after the last block, (B, L, C) to (B, L, C)."""

    @abstractmethod
    def project(self, normalized: Tensor) -> Tensor:
        """Embed normalized tokens, each as if it was alone in its image: (..., C) to (..., D)."""

    @abstractmethod
    def pool(self, normalized: Tensor) -> Tensor:
        """Embed images by all their normalized tokens, (B, P + h·w, C) to (B, D)."""


class OpenClipTower(Tower):
    """The `VisionTransformer` of open_clip with a class token, as in OpenAI's CLIP.

    Args:
        visual: The network.
    """

    num_prefix = 1
    has_class_embedding = True

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self.width = visual.conv1.out_channels
        self.embed_dim = visual.proj.shape[1]
        self.patch_size = visual.patch_size[0]
        self.trained_grid = visual.grid_size
        self.depth = len(visual.transformer.resblocks)

    def embed_patches(self, images: Tensor) -> Tensor:
        """Compute patches without positions: images (B, 3, H, W), normalized, to (B, C, h, w)."""
        patches: Tensor = self._visual.conv1(images)
        return patches

    def get_prefix(self) -> Tensor:
        """Return the class token without its position, (1, C)."""
        class_embedding: Tensor = self._visual.class_embedding
        return class_embedding[None]

    def compute_positions(self, grid: Grid, *, interpolation: Interpolation) -> Tensor:
        """Return the positions of a grid (h, w), (1 + h·w, C)."""
        positions = self._visual.positional_embedding
        return resize_positions(positions, trained=self.trained_grid, grid=grid, interpolation=interpolation)

    def enter(self, tokens: Tensor) -> Tensor:
        """Apply the norm `ln_pre`, (B, L, C) to (B, L, C)."""
        entering: Tensor = self._visual.ln_pre(tokens)
        return entering

    def list_blocks(self, grid: Grid | None) -> Sequence[ResidualBlock]:
        """Return all blocks, which depend on no grid."""
        return [OpenClipBlock(block) for block in self._visual.transformer.resblocks]

    def normalize(self, tokens: Tensor) -> Tensor:
        """Apply the norm `ln_post`, (B, L, C) to (B, L, C)."""
        normalized: Tensor = self._visual.ln_post(tokens)
        return normalized

    def project(self, normalized: Tensor) -> Tensor:
        """Project normalized tokens (..., C) to (..., D)."""
        projected: Tensor = normalized @ self._visual.proj
        return projected

    def pool(self, normalized: Tensor) -> Tensor:
        """Project the class token, (B, 1 + h·w, C) to (B, D)."""
        return self.project(normalized[:, 0])
