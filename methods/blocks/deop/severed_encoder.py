"""CLIP's image encoder with extra positions and severed patches: one pass for all proposals of an image (DeOP)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip import ClipImageEncoder, to_map
from methods.blocks.clip.attention import Attend, attend_as_trained, run_block
from methods.blocks.clip.positions import resize_positions
from methods.blocks.deop.config import ExtraPositionsConfig, SeveranceConfig
from methods.blocks.deop.severance import make_attention
from methods.blocks.padding import Grid


class SeveredEncoder(nn.Module):
    """Dense embeddings of images whose patches do not attend to each other in the last blocks.

    CLIP is frozen; the extra positions are trained.

    Args:
        encoder: CLIP's image encoder.
        severance: Severed blocks; None for CLIP as it was trained.
        positions: Extra positions; None for none.

    Attributes:
        extra_positions: (P + g², C) for each block that has some, g x g patches, by the number of the block.
    """

    def __init__(
        self,
        encoder: ClipImageEncoder,
        *,
        severance: SeveranceConfig | None,
        positions: ExtraPositionsConfig | None,
    ) -> None:
        super().__init__()
        self.encoder, self._severance = encoder, severance
        self._grid: Grid = (positions.grid, positions.grid) if positions else (0, 0)
        rows, width = encoder.num_prefix + self._grid[0] * self._grid[1], encoder.width
        self.extra_positions = nn.ParameterDict(
            {str(block): nn.Parameter(width**-0.5 * torch.randn(rows, width)) for block in _list_blocks(positions)}
        )

    def forward(self, images: Tensor, masks: Tensor) -> Tensor:
        """Embed each patch of images in one pass.

        Args:
            images: (B, 3, H, W) normalized, H and W multiples of the patch size.
            masks: Logits of the masks of N proposals, (B, N, h', w').

        Returns:
            (B, D, h, w) unit vectors.
        """
        return F.normalize(self.embed_patches(images, masks).float(), dim=1)

    def embed_patches(self, images: Tensor, masks: Tensor) -> Tensor:
        """Embed each patch as `forward` does, (B, D, h, w), not normalized."""
        tokens, grid = self.encoder.embed(images, interpolation="bicubic")
        tokens = self.encoder.enter(self._add_positions(tokens, 0, grid))
        blocks = self.encoder.list_blocks(grid)
        severed = self._make_attention(masks, grid)
        for index, block in enumerate(blocks):
            tokens = tokens if index == 0 else self._add_positions(tokens, index, grid)
            attend = severed if index >= len(blocks) - self.num_severed else attend_as_trained
            tokens = run_block(block, tokens, attend=attend, tail="full")
        return to_map(self.encoder.project(tokens)[:, self.encoder.num_prefix :], grid)

    @property
    def num_severed(self) -> int:
        """Number of severed blocks."""
        return self._severance.blocks if self._severance else 0

    def _make_attention(self, masks: Tensor, grid: Grid) -> Attend:
        if self._severance is None:
            return attend_as_trained
        return make_attention(self._severance.kind, masks=masks, grid=grid, num_prefix=self.encoder.num_prefix)

    def _add_positions(self, tokens: Tensor, block: int, grid: Grid) -> Tensor:
        """Add the extra positions of a block, if there are any, to tokens (B, P + h·w, C)."""
        if str(block) not in self.extra_positions:
            return tokens
        prefix = self.encoder.num_prefix
        extra = self.extra_positions[str(block)]
        return tokens + resize_positions(
            extra, trained=self._grid, grid=grid, interpolation="bicubic", num_prefix=prefix
        )


def _list_blocks(positions: ExtraPositionsConfig | None) -> tuple[int, ...]:
    return positions.before if positions else ()
