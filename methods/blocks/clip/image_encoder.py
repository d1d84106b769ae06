"""CLIP's image tower, block by block: any grid, and the value path that makes it dense.

Tokens are (B, 1 + H·W, C) with the class token first and patches in row-major order, as in open_clip's `ViT`.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Grid = tuple[int, int]
Colour = tuple[float, float, float]
Attention = Literal["vanilla", "value"]
"""How the last block mixes tokens: as trained, or every token attending to itself alone (MaskCLIP's value path)."""

Block = Any
"""An `open_clip` ResidualAttentionBlock; its parts carry no types of their own."""

Tail = Literal["full", "reduced"]
"""What follows that attention: residual and MLP as trained, or nothing (as ClearCLIP uses it)."""


def resize_positions(positions: Tensor, *, trained: Grid, grid: Grid) -> Tensor:
    """CLIP's positional embedding for another grid: patches bilinear, the class token's row untouched.

    Args:
        positions: (1 + h·w, C) for the trained grid (h, w).

    Returns:
        (1 + H·W, C).
    """
    if grid == trained:
        return positions
    patches = positions[1:].T.reshape(1, -1, *trained)
    resized = F.interpolate(patches, size=grid, mode="bilinear", align_corners=False)
    return torch.cat([positions[:1], resized[0].flatten(1).T])


def value_path(block: Block, tokens: Tensor, *, tail: Tail) -> Tensor:
    """One residual block whose attention is the identity (MaskCLIP, arXiv 2112.01071, section 3.2).

    Args:
        block: an open_clip ResidualAttentionBlock.
        tokens: (B, L, C).

    Returns:
        (B, L, C); each token depends on itself only.
    """
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    width = weight.shape[1]
    values = F.linear(block.ln_1(tokens), weight[2 * width :], bias[2 * width :])
    attended: Tensor = block.attn.out_proj(values)
    if tail == "reduced":
        return attended
    tokens = tokens + block.ls_1(attended)
    mixed: Tensor = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
    return mixed


class ClipImageEncoder(nn.Module):
    """The frozen image tower of an open_clip model, with a door before every block."""

    visual: Any

    def __init__(self, visual: Any) -> None:
        super().__init__()
        self.visual = visual
        self.width: int = visual.conv1.out_channels
        self.joint: int = visual.proj.shape[1]
        self.patch: int = visual.patch_size[0]
        self.trained: Grid = visual.grid_size
        self.mean: Colour = visual.image_mean
        self.std: Colour = visual.image_std
        self.depth: int = len(visual.transformer.resblocks)

    def embed(self, images: Tensor) -> tuple[Tensor, Grid]:
        """Tokens before the first block, and their grid. images: (B, 3, H, W) normalised, H and W multiples of the
        patch."""
        patches = self.visual.conv1(images)
        grid = (patches.shape[2], patches.shape[3])
        positions = resize_positions(self.visual.positional_embedding, trained=self.trained, grid=grid)
        first = self.visual.class_embedding.expand(len(images), 1, -1)
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
        entering: Tensor = self.visual.ln_pre(tokens + positions)
        return entering, grid

    def blocks(self, tokens: Tensor, *, start: int, stop: int) -> Tensor:
        """Run blocks start..stop-1 as trained, (B, L, C) to (B, L, C)."""
        for block in self.visual.transformer.resblocks[start:stop]:
            tokens = block(tokens)
        return tokens

    def finish(self, tokens: Tensor, *, start: int, attention: Attention = "vanilla", tail: Tail = "full") -> Tensor:
        """Blocks from `start` to the end, final norm and projection: (B, L, C) to (B, L, D), not normalised."""
        if attention == "vanilla":
            tokens = self.blocks(tokens, start=start, stop=self.depth)
        else:
            tokens = self.blocks(tokens, start=start, stop=self.depth - 1)
            tokens = value_path(self.visual.transformer.resblocks[-1], tokens, tail=tail)
        projected: Tensor = self.visual.ln_post(tokens) @ self.visual.proj
        return projected


def to_map(tokens: Tensor, grid: Grid) -> Tensor:
    """Patch tokens (B, H·W, C) as a map (B, C, H, W)."""
    laid_out: Tensor = tokens.transpose(1, 2).unflatten(2, grid)
    return laid_out
