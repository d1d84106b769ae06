"""Replacements of the CLIP Semantic Head that have trained layers only."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.heads.adapter import Adapter, set_linear
from methods.blocks.heads.head import Head, pool_to_grid
from methods.blocks.padding import Grid
from methods.blocks.ridge import Ridge


class PlainHead(Head):
    """Trained layers from the body's width to the embedding space.

    Args:
        image_encoder: The CLIP whose dense map provides starting values; not a submodule of this head.
        norm: Norm of the features (B, C, h, w).
        hidden: Layers that stay random at the start, (B, C, h, w) to (B, C', h, w).
        project: Map into the embedding space, (B, C', h, w) to (B, D, h, w).
        attention: Attention of the last block for that dense map.
        tail: Tail of the last block for that dense map.
    """

    def __init__(
        self,
        image_encoder: ClipImageEncoder,
        *,
        norm: nn.Module,
        hidden: nn.Module,
        project: Adapter,
        attention: Attention,
        tail: Tail,
    ) -> None:
        super().__init__()
        self._image_encoder = (image_encoder,)  # in a tuple, so that it is no submodule
        self.attention, self.tail = attention, tail
        self.norm, self.hidden, self.project = norm, hidden, project

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""
        projected: Tensor = self.project(self.hidden(self.norm(features)))
        return projected

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Regress CLIP's dense embeddings, scaled to unit length, on the features under each patch.

        Args:
            pairs: Features (B, C, h, w), CLIP's tokens before the first block (B, P + H·W, width) and their
                grid (H, W).
        """
        (image_encoder,) = self._image_encoder
        ridge = Ridge()
        for features, tokens, grid in pairs:
            dense = F.normalize(
                image_encoder.run_last_blocks(tokens, start=0, attention=self.attention, tail=self.tail, grid=grid),
                dim=-1,
            )
            patches = dense[:, image_encoder.num_prefix :].flatten(0, 1)
            ridge.add(pool_to_grid(self.hidden(self.norm(features)), grid), patches)
        set_linear(self.project.linear, *ridge.solve())
