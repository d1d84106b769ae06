"""Interface of all heads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.padding import Grid


class Head(nn.Module, ABC):
    """Trained map from features to dense embeddings that can be initialized from CLIP's tokens.

    Attributes:
        attention: Attention of the last block in the dense map of CLIP that the start imitates.
        tail: Tail of the last block in that dense map.
    """

    attention: Attention
    tail: Tail

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""

    @abstractmethod
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Fit the trained maps to CLIP in closed form.

        Args:
            pairs: Features (B, C, h, w) as they are in training, CLIP's tokens before the first block
                (B, P + H·W, width) and their grid (H, W), of the same images without padding.
        """


class RandomlyStartedHead(Head):
    """Head whose trained maps keep their random values until training begins.

    Args:
        head: Head that is used as it is built.
    """

    def __init__(self, head: Head) -> None:
        super().__init__()
        self.head, self.attention, self.tail = head, head.attention, head.tail

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""
        dense: Tensor = self.head(features)
        return dense

    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Compute all pairs, so that the body's batch norms see the images, and fit nothing.

        Args:
            pairs: See `Head.start_from`.
        """
        for _ in pairs:
            pass


def pool_to_grid(features: Tensor, grid: Grid) -> Tensor:
    """Average the features under every CLIP patch.

    Args:
        features: (B, C, h, w).
        grid: Grid of the patches (H, W).

    Returns:
        (B·H·W, C).
    """
    return F.adaptive_avg_pool2d(features, grid).movedim(1, 3).flatten(0, 2)
