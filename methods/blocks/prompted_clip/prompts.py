"""Deep visual prompts (arXiv 2203.12119): learned tokens that every block gets anew."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.blocks.dropout import drop_values
from methods.blocks.prompted_clip.config import PromptsConfig


class DeepPrompts(nn.Module):
    """Prompts of each block and a linear map that they share.

    Args:
        config: Number of prompts and blocks, and dropout.
        width: Length C of a token.
        depth: Number of blocks of the encoder.
        patch_size: Side of a patch in pixels, which decides how large the prompts are at the start.

    Raises:
        ValueError: More blocks are to have prompts than there are.
    """

    def __init__(self, config: PromptsConfig, *, width: int, depth: int, patch_size: int) -> None:
        super().__init__()
        config.check_depth(depth)
        self.rate, self.count, self.depth = config.dropout, config.count, config.depth or depth
        bound = (6 / (3 * patch_size**2 + width)) ** 0.5  # Xavier's, of the patch embedding
        self.vectors = nn.Parameter(torch.empty(self.depth, self.count, width).uniform_(-bound, bound))
        self.project = nn.Linear(width, width)
        nn.init.kaiming_normal_(self.project.weight, mode="fan_out")

    def forward(self, block: int, batch_size: int, generator: torch.Generator | None) -> Tensor:
        """Return the prompts of a block, (B, M, C), or (B, 0, C) for a block without.

        Args:
            block: Index of the block.
            batch_size: Number B of images.
            generator: Generator of the dropout; None for no dropout.
        """
        if block >= self.depth:
            return self.vectors.new_empty(batch_size, 0, self.vectors.shape[2])
        prompts = self.project(self.vectors[block]).expand(batch_size, -1, -1)
        return drop_values(prompts, self.rate, generator)
