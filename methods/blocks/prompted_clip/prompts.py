"""Deep visual prompts (arXiv 2203.12119): learned tokens, new ones in every block."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from methods.blocks.dropout import Dropout
from methods.blocks.prompted_clip.config import PromptsConfig


class DeepPrompts(nn.Module):
    """Prompts of each block and a linear map that they share.

    Args:
        config: Number of prompts and blocks, and dropout.
        width: Length C of a token.
        depth: Number of blocks of the encoder.
        patch_size: Side of a patch in pixels, which determines the range of the prompts at the start.

    Raises:
        ValueError: More blocks are to have prompts than there are.
    """

    def __init__(self, config: PromptsConfig, *, width: int, depth: int, patch_size: int) -> None:
        super().__init__()
        config.check_depth(depth)
        self.rate, self.num_blocks = config.dropout, depth
        bound = (6 / (3 * patch_size**2 + width)) ** 0.5  # Xavier's, of the patch embedding
        vectors = torch.empty(config.depth or depth, config.count, width)
        self.vectors = nn.Parameter(vectors.uniform_(-bound, bound))
        self.project = nn.Linear(width, width)
        nn.init.kaiming_normal_(self.project.weight, mode="fan_out")

    def forward(self, batch_size: int, generator: torch.Generator | None) -> list[Tensor]:
        """Return the prompts of every block.

        Args:
            batch_size: Number B of images.
            generator: CPU generator of the dropout; None for no dropout.

        Returns:
            (B, M, C) for each block with prompts, then (B, 0, C) for each block without.
        """
        dropout = Dropout(self.rate, generator, device=self.vectors.device)
        prompts = dropout(self.project(self.vectors)[:, None].expand(-1, batch_size, -1, -1))  # (blocks, B, M, C)
        nothing = prompts.new_empty(batch_size, 0, prompts.shape[3])
        return [*prompts, *[nothing] * (self.num_blocks - len(prompts))]
