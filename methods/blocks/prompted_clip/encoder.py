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
        config: Prompts and other changes of the encoder.
        keep: Indices of the blocks whose tokens are returned.
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
            generator: CPU generator of the dropout; None for no dropout.
        """
        tokens, grid = self.encoder.embed(self.normalize(images))
        if self.doubled:
            first = self.encoder.tower.get_prefix()[:1].expand(len(tokens), -1, -1)
            tokens = torch.cat([tokens[:, :1] + first, tokens[:, 1:]], dim=1)
        tokens, num_patches = self.encoder.enter(tokens), grid[0] * grid[1]
        inner: dict[int, Tensor] = {}
        prompts = None if self.prompts is None else self.prompts(len(tokens), generator)
        for index, block in enumerate(self.encoder.list_blocks(grid)):
            if prompts is not None:
                tokens = self._exchange_prompts(tokens, prompts[index], num_patches)
            tokens = run_block(block, tokens, attend=attend_as_trained, tail="full")
            if index in self.keep:
                inner[index] = self.norm(tokens[:, -num_patches:])
        tokens = self._exchange_prompts(tokens, tokens[:, :0], num_patches)
        normalized = self.encoder.tower.normalize(self.norm(tokens))
        return PromptedFeatures(
            image=F.normalize(self.encoder.tower.pool(normalized), dim=1),
            patches=F.normalize(self.encoder.tower.project(normalized[:, -num_patches:]), dim=2),
            inner=inner,
            grid=grid,
        )

    def _exchange_prompts(self, tokens: Tensor, prompts: Tensor, num_patches: int) -> Tensor:
        """Replace the prompts of tokens (B, P + L + N, C) by others (B, M, C), or none: (B, P + M + N, C)."""
        prefix, patches = tokens[:, : self.encoder.num_prefix], tokens[:, -num_patches:]
        return torch.cat([prefix, prompts.to(tokens.dtype), patches], dim=1)
