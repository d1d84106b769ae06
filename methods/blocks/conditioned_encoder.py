"""CLIP's frozen image encoder with a class name in place of its class token ("[CLS] token is all you need").

See arXiv 2304.06212. The blocks before the replacement do not depend on the class: they run once per image.
"""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.images import Normalize
from methods.blocks.padding import Grid

TWELFTHS = 12
"""Number of parts of the depth in which blocks are given; the depth of CLIP ViT-B."""


class ReplacementConfig(Config):
    """Blocks that the class token is replaced before, and its projections.

    Attributes:
        start: First block, in twelfths of the depth.
        stop: End of the blocks, exclusive, in twelfths of the depth.
        shared: Whether all blocks share one projection.
    """

    start: int = Field(default=2, ge=0, lt=TWELFTHS)
    stop: int = Field(default=5, gt=0, le=TWELFTHS)
    shared: bool = False

    def check_plan(self, budget: Budget) -> None:
        """Check that there is at least one block.

        Raises:
            ValueError: There is none.
        """
        if self.start >= self.stop:
            raise ValueError(f"replacement.start is {self.start}, expected less than replacement.stop, {self.stop}")

    def list_blocks(self, depth: int) -> range:
        """Return the indices of the blocks of an encoder, at least one."""
        start = min((self.start * depth + TWELFTHS // 2) // TWELFTHS, depth - 1)
        return range(start, max(start + 1, -(-self.stop * depth // TWELFTHS)))


class ConditionedEncoder(nn.Module):
    """CLIP's frozen image encoder, with a class name in place of its class token in some blocks.

    Args:
        encoder: CLIP's image encoder.
        config: Blocks and projections.
    """

    def __init__(self, encoder: ClipImageEncoder, config: ReplacementConfig) -> None:
        super().__init__()
        self.encoder, self.blocks = encoder, config.list_blocks(encoder.depth)
        self.normalize = Normalize(encoder.mean, encoder.std)
        count = 1 if config.shared else len(self.blocks)
        self.projections = nn.ModuleList(nn.Linear(encoder.embed_dim, encoder.width) for _ in range(count))

    def run_shared(self, images: Tensor) -> tuple[Tensor, Grid]:
        """Run the blocks before the replacement, which do not depend on the class.

        Args:
            images: (B, 3, H, W), RGB in 0-255, H and W multiples of the patch size.

        Returns:
            Tokens (B, P + h·w, C) and their grid (h, w).
        """
        tokens, grid = self.encoder.embed(self.normalize(images))
        start = self.blocks.start
        return self.encoder.run_blocks(tokens, start=0, stop=start, grid=grid) if start else tokens, grid

    def forward(self, tokens: Tensor, classes: Tensor, *, grid: Grid) -> Tensor:
        """Run the other blocks for one class each.

        The vectors are lengthened to the root of D before they are projected, so that their values are about 1. In unit
        vectors, what tells classes apart would be small beside the bias of the projection.

        Args:
            tokens: (N, P + h·w, C) of `run_shared`.
            classes: (N, D) unit vectors.
            grid: Grid (h, w) of the patches.

        Returns:
            Patch tokens (N, h·w, C).
        """
        classes = classes * classes.shape[1] ** 0.5
        for index in range(self.blocks.start, self.encoder.depth):
            if index in self.blocks:
                projection = self.projections[(index - self.blocks.start) % len(self.projections)]
                tokens = torch.cat([projection(classes)[:, None].to(tokens.dtype), tokens[:, 1:]], dim=1)
            tokens = self.encoder.run_blocks(tokens, start=index, stop=index + 1, grid=grid)
        return tokens[:, self.encoder.num_prefix :]

    def rank(self, tokens: Tensor, classes: Tensor, *, grid: Grid, count: int) -> Tensor:
        """Return the indices (count,) of the classes (K, D) nearest to CLIP's own class token of one image.

        Args:
            tokens: (1, P + h·w, C) of `run_shared`.
            classes: (K, D) unit vectors.
            grid: Grid (h, w) of the patches.
            count: Number of classes, at most K.
        """
        image = self.encoder.run_last_blocks(tokens, start=self.blocks.start, grid=grid)[0, 0]
        return (classes @ image.to(classes.dtype)).topk(count).indices
