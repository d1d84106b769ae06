"""CLIP's image encoder with learned prompts among its patches."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.attention import attend_as_trained, run_block
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.padding import Grid
from methods.blocks.pixel_statistics import build_normalize
from methods.blocks.prompted_clip.config import PromptedClipConfig
from methods.blocks.prompted_clip.prompts import DeepPrompts

NORM_EPSILON = 1e-6
"""Epsilon of the trained norm, that of the official code; CLIP's norms have 1e-5."""


@dataclass(frozen=True)
class PromptedFeatures:
    """Features of images.

    Attributes:
        image: Embeddings of the images, (B, D) unit vectors.
        patches: Embeddings of the patches after the last block, (B, h·w, D) unit vectors.
        inner: Patch tokens after other blocks, by the index of the block, (B, h·w, C) each, with the trained norm.
        grid: Grid (h, w) of the patches.
    """

    image: Tensor
    patches: Tensor
    inner: Mapping[int, Tensor]
    grid: Grid


class PromptedClip(nn.Module):
    """CLIP's image encoder with prompts between class token and patches; works with any encoder that embeds images.

    Args:
        encoder: CLIP's image encoder.
        config: Prompts and how the encoder is entered.
        keep: Indices of blocks whose tokens are returned.
    """

    def __init__(self, encoder: ClipImageEncoder, config: PromptedClipConfig, *, keep: Collection[int] = ()) -> None:
        super().__init__()
        self.encoder, self.keep = encoder, frozenset(keep)
        self.doubled = config.doubled_class_embedding and encoder.has_class_embedding
        self.normalize = build_normalize(config.pixel_statistics, encoder)
        sizes = {"width": encoder.width, "depth": encoder.depth, "patch_size": encoder.patch_size}
        self.prompts = DeepPrompts(config.prompts, **sizes) if config.prompts else None
        self.norm = nn.LayerNorm(encoder.width, eps=NORM_EPSILON) if config.final_norm else nn.Identity()
        if config.weights == "trained":
            encoder.requires_grad_(True)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> PromptedFeatures:
        """Compute features of images.

        Args:
            images: (B, 3, H, W), RGB in 0-255, H and W multiples of the patch size.
            generator: Generator of the dropout; None for no dropout.
        """
        tokens, grid = self.encoder.embed(self.normalize(images))
        if self.doubled:
            first = self.encoder.tower.get_prefix()[:1].expand(len(tokens), -1, -1)
            tokens = torch.cat([tokens[:, :1] + first, tokens[:, 1:]], dim=1)
        tokens, num_patches = self.encoder.enter(tokens), grid[0] * grid[1]
        inner: dict[int, Tensor] = {}
        for index in range(self.encoder.depth):
            tokens = self._run_block(index, tokens, grid, generator)
            if index in self.keep:
                inner[index] = self.norm(tokens[:, -num_patches:])
        normalized = self.encoder.tower.normalize(self.norm(self._drop_prompts(tokens, num_patches)))
        return PromptedFeatures(
            image=F.normalize(self.encoder.tower.pool(normalized), dim=1),
            patches=F.normalize(self.encoder.tower.project(normalized[:, -num_patches:]), dim=2),
            inner=inner,
            grid=grid,
        )

    def _run_block(self, index: int, tokens: Tensor, grid: Grid, generator: torch.Generator | None) -> Tensor:
        """Replace the prompts in tokens (B, P + M + N, C) by those of a block, and run it."""
        if self.prompts is not None:
            num_patches = grid[0] * grid[1]
            prompts = self.prompts(index, len(tokens), generator).to(tokens.dtype)
            prefix = tokens[:, : self.encoder.num_prefix]
            tokens = torch.cat([prefix, prompts, tokens[:, -num_patches:]], dim=1)
        block = self.encoder.list_blocks(grid)[index]
        return run_block(block, tokens, attend=attend_as_trained, tail="full")

    def _drop_prompts(self, tokens: Tensor, num_patches: int) -> Tensor:
        """Remove the prompts from tokens: (B, P + M + N, C) to (B, P + N, C)."""
        return torch.cat([tokens[:, : self.encoder.num_prefix], tokens[:, -num_patches:]], dim=1)
