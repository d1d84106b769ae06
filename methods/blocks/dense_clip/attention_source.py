"""Sources of the attention of CLIP's last block: a fixed one, the distance of patches, or another model's features."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from methods.blocks.clip.attention import Attend
from methods.blocks.dense_clip.proxy import compute_proxy_weights, make_proxy_attention
from methods.blocks.padding import Grid


class GridAttention(NamedTuple):
    """Attention for the images of a batch.

    Attributes:
        attend: Function of layer and tokens; the class token is the first of its results, or not among them.
        grid: Grid of the other results.
    """

    attend: Attend
    grid: Grid


class AttentionSource(nn.Module, ABC):
    """Source of the attention of CLIP's last block."""

    @abstractmethod
    def forward(self, images: Tensor, grid: Grid) -> GridAttention:
        """Return the attention for images (B, 3, H, W), RGB in 0-255, and their grid of patches."""


class FixedAttention(AttentionSource):
    """The same attention for all images.

    Args:
        attend: Function of layer and tokens.
    """

    def __init__(self, attend: Attend) -> None:
        super().__init__()
        self.attend = attend

    def forward(self, images: Tensor, grid: Grid) -> GridAttention:
        """Return the attention."""
        return GridAttention(self.attend, grid)


class DistanceAttention(AttentionSource):
    """An attention that depends on the distance of patches.

    Args:
        make: Function from a grid and the standard deviation in patches to the attention.
        sigma: Standard deviation in patches.
    """

    def __init__(self, make: Callable[..., Attend], *, sigma: float) -> None:
        super().__init__()
        self.make, self.sigma = make, sigma

    def forward(self, images: Tensor, grid: Grid) -> GridAttention:
        """Return the attention for the grid."""
        return GridAttention(self.make(grid, sigma=self.sigma), grid)


class ProxyAttention(AttentionSource):
    """An attention by the similarity of another model's features (ProxyCLIP, arXiv 2408.04883).

    Args:
        proxy: Model that maps images (B, 3, H, W), RGB in 0-255, to features (B, C, h, w).
        shift: Factor (beta in the paper) of the mean similarity.
        scale: Factor of what is above it (gamma in the paper).
    """

    def __init__(self, proxy: nn.Module, *, shift: float, scale: float) -> None:
        super().__init__()
        self.proxy, self.shift, self.scale = proxy, shift, scale

    def forward(self, images: Tensor, grid: Grid) -> GridAttention:
        """Return the attention on the grid of the proxy's features."""
        weights, proxy_grid = self.weigh(images)
        return GridAttention(make_proxy_attention(weights, grid=grid, proxy_grid=proxy_grid), proxy_grid)

    def weigh(self, images: Tensor) -> tuple[Tensor, Grid]:
        """Compute the weights of all pairs of positions.

        Args:
            images: (B, 3, H, W), RGB in 0-255.

        Returns:
            (B, h·w, h·w), rows sum to 1, and the grid (h, w) of the proxy's features.
        """
        features = self.proxy(images)
        weights = compute_proxy_weights(features, shift=self.shift, scale=self.scale)
        return weights, (features.shape[2], features.shape[3])
