"""Image encoders that open_clip builds through timm: SigLIP's, EVA-CLIP's and others; this module imports timm."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import timm
import torch
from timm.layers.attention_pool import AttentionPoolLatent
from timm.layers.patch_embed import PatchEmbed
from timm.models.eva import Eva, EvaBlock, EvaBlockPostNorm
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from methods.blocks.clip.pooling import AttentionPooling, ClassTokenPooling, MeanPooling, TokenPooling
from methods.blocks.clip.positions import Interpolation, resize_positions
from methods.blocks.clip.residual_blocks import EvaTowerBlock, PostNormBlock, ResidualBlock, TimmBlock
from methods.blocks.clip.timm_sizes import TimmSizes
from methods.blocks.clip.tower import Tower
from methods.blocks.padding import Grid

BLOCKS = (Block, EvaBlock, EvaBlockPostNorm)
"""Blocks that can be run with another attention."""


class TimmTower(Tower):
    """A `VisionTransformer` or `Eva` of timm in an open_clip `TimmModel`.

    Args:
        visual: The `TimmModel`.

    Raises:
        ValueError: The network has parts that are not supported.
    """

    def __init__(self, visual: Any) -> None:
        trunk = visual.trunk
        problem = find_problem(trunk)
        if problem:
            raise ValueError(f"no ViT image encoder that is supported: {problem}")
        self._visual, self._trunk = visual, trunk
        self.width = trunk.embed_dim
        self.embed_dim = _find_embed_dim(visual)
        self.patch_size = trunk.patch_embed.patch_size[0]
        self.trained_grid = trunk.patch_embed.grid_size
        self.depth = len(trunk.blocks)
        self.num_prefix = trunk.num_prefix_tokens
        self._pooling = _find_pooling(trunk)
        self.has_class_embedding = isinstance(self._pooling, ClassTokenPooling)

    def embed_patches(self, images: Tensor) -> Tensor:
        """Compute patches without positions: images (B, 3, H, W), normalized, to (B, C, h, w)."""
        patches: Tensor = self._trunk.patch_embed.proj(images)
        return patches

    def get_prefix(self) -> Tensor:
        """Return class token and registers without their positions, (P, C)."""
        none = self._trunk.patch_embed.proj.weight.new_zeros(0, self.width)
        tokens = (self._trunk.cls_token, self._trunk.reg_token)
        return torch.cat([none, *(some[0] for some in tokens if some is not None)])

    def compute_positions(self, grid: Grid, *, interpolation: Interpolation) -> Tensor:
        """Return what is added to the tokens of a grid (h, w), (P + h·w, C); rotary positions are not."""
        trunk = self._trunk
        if trunk.pos_embed is None:
            zeros: Tensor = trunk.patch_embed.proj.weight.new_zeros(self.num_prefix + grid[0] * grid[1], self.width)
            return zeros
        num_rows = 0 if trunk.no_embed_class else self.num_prefix
        resized = resize_positions(
            trunk.pos_embed[0],
            trained=self.trained_grid,
            grid=grid,
            interpolation=interpolation,
            num_prefix=num_rows,
        )
        return torch.cat([resized.new_zeros(self.num_prefix - num_rows, self.width), resized])

    def enter(self, tokens: Tensor) -> Tensor:
        """Apply the norm before the first block, if there is one: (B, L, C) to (B, L, C)."""
        entering: Tensor = self._trunk.norm_pre(tokens)
        return entering

    def list_blocks(self, grid: Grid | None) -> Sequence[ResidualBlock]:
        """Return all blocks for tokens of a grid.

        Raises:
            ValueError: The grid is None, but the positions are rotary.
        """
        if isinstance(self._trunk, VisionTransformer):
            return [TimmBlock(block) for block in self._trunk.blocks]
        rope = self._compute_rope(grid)
        return [
            EvaTowerBlock(block, rope=rope) if isinstance(block, EvaBlock) else PostNormBlock(block, rope=rope)
            for block in self._trunk.blocks
        ]

    def normalize(self, tokens: Tensor) -> Tensor:
        """Apply the norm after the last block, if it comes before the pooling: (B, L, C) to (B, L, C)."""
        normalized: Tensor = self._trunk.norm(tokens)
        return normalized

    def project(self, normalized: Tensor) -> Tensor:
        """Embed normalized tokens, each by itself: (..., C) to (..., D)."""
        return self._run_head(self._pooling.pool_each(normalized))

    def pool(self, normalized: Tensor) -> Tensor:
        """Embed images, (B, P + h·w, C) to (B, D)."""
        return self._run_head(self._pooling.pool(normalized))

    def _run_head(self, pooled: Tensor) -> Tensor:
        embedded: Tensor = self._visual.head(self._trunk.head(self._trunk.fc_norm(pooled)))
        return embedded

    def _compute_rope(self, grid: Grid | None) -> Tensor | None:
        """Return sines and cosines of the patches of a grid (h, w), (h·w, 2·d); None without rotary positions."""
        rope = self._trunk.rope
        if rope is None:
            return None
        if grid is None:
            raise ValueError("this image encoder has rotary positions: pass the grid of the tokens")
        if grid != self.trained_grid:
            rope = deepcopy(rope)
            rope.update_feat_shape(grid)
        embedding: Tensor = rope.get_embed()
        return embedding


def measure_tower(name: str) -> TimmSizes | None:
    """Measure a network of timm without weights; None if it is not supported.

    Raises:
        RuntimeError: timm has no such network.
    """
    with torch.device("meta"):
        trunk: Any = timm.create_model(name)
    if find_problem(trunk):
        return None
    return TimmSizes(
        depth=len(trunk.blocks),
        width=trunk.embed_dim,
        patch_size=trunk.patch_embed.patch_size[0],
        num_prefix=trunk.num_prefix_tokens,
        pool=trunk.global_pool,
    )


def find_problem(trunk: Any) -> str:
    """Return what keeps a network of timm from being run block by block, in a few words; empty if nothing does."""
    if type(trunk) not in (VisionTransformer, Eva):
        return f"{type(trunk).__name__} is no ViT"
    embed, pool = trunk.patch_embed, getattr(trunk, "attn_pool", None)
    rope = type(getattr(trunk, "rope", None)).__name__
    problems = {
        f"patches by {type(embed).__name__}": type(embed) is not PatchEmbed or not isinstance(embed.norm, nn.Identity),
        f"pooling {trunk.global_pool!r}": trunk.global_pool not in ("token", "avg", "map"),
        "pooling of the prefix": getattr(trunk, "pool_include_prefix", False),
        f"attention pooling by {type(pool).__name__}": pool is not None and not _is_plain_pool(pool),
        f"positions by {rope}": rope not in ("NoneType", "RotaryEmbeddingCat"),
    }
    for block in trunk.blocks:
        problems[f"block {type(block).__name__}"] = type(block) not in BLOCKS
        problems[f"attention {type(block.attn).__name__}"] = not _is_plain_attention(block.attn)
    return next((problem for problem, is_there in problems.items() if is_there), "")


def _is_plain_attention(layer: Any) -> bool:
    """Return whether `TimmLayer` computes what an attention layer of timm does."""
    has_weights = all(hasattr(layer, name) for name in ("qkv", "q_norm", "k_norm", "norm", "proj", "num_heads"))
    return has_weights and getattr(layer, "gate", None) is None and getattr(layer, "num_kv_groups", 1) == 1


def _is_plain_pool(head: Any) -> bool:
    """Return whether `AttentionPooling` computes what an attention pooling of timm does."""
    return type(head) is AttentionPoolLatent and head.latent_len == 1 and head.pos_embed is None


def _find_pooling(trunk: Any) -> TokenPooling:
    if trunk.attn_pool is not None:  # that of `Eva` attends to class token and registers, too
        return AttentionPooling(trunk.attn_pool, num_skipped=0 if isinstance(trunk, Eva) else trunk.num_prefix_tokens)
    return ClassTokenPooling() if trunk.global_pool == "token" else MeanPooling(num_prefix=trunk.num_prefix_tokens)


def _find_embed_dim(visual: Any) -> int:
    """Return the number of outputs of the last linear layer after the blocks, or else of the pooling."""
    linears = [layer for layer in (visual.trunk.head, *visual.head.modules()) if isinstance(layer, nn.Linear)]
    return int(linears[-1].out_features if linears else visual.trunk.num_features)
