"""Aggregation of costs over positions: a pair of Swin blocks (arXiv 2103.14030) guided by image features.

A map is (B, K, h, w, C): the cost embedding of K classes. Every class is aggregated by itself, with shared weights. As
in CAT-Seg's code, and unlike Swin, there is no bias of relative positions.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.padding import Grid


class GuidedProjections(nn.Module):
    """Queries, keys and values of maps, with a guidance of queries and keys that many maps share.

    Equal to linear maps of input and guidance concatenated, but the guidance is mapped once for all maps of an image.

    Args:
        width: Channels C of the maps.
        guidance: Channels G of the guidance; 0 if there is none.
    """

    def __init__(self, width: int, guidance: int) -> None:
        super().__init__()
        self.query, self.key = nn.Linear(width + guidance, width), nn.Linear(width + guidance, width)
        self.value = nn.Linear(width, width)

    def forward(self, maps: Tensor, guidance: Tensor | None) -> Tensor:
        """Project maps (…, C) with guidance (…, G), whose axes broadcast, or None: (…, 3 C)."""
        width, linears = len(self.value.weight), (self.query, self.key, self.value)
        weight = torch.cat([linear.weight[:, :width] for linear in linears])
        bias = torch.cat([linear.bias for linear in linears])
        projected = F.linear(maps, weight, bias)
        if guidance is None:
            return projected
        guiding = torch.cat([self.query.weight[:, width:], self.key.weight[:, width:]])
        return projected + F.pad(F.linear(guidance, guiding), (0, width))


class SwinBlock(nn.Module):
    """Attention within windows, then an MLP; queries and keys also see the guidance.

    Args:
        width: Channels C.
        guidance: Channels G of the guidance; 0 if there is none.
        heads: Heads of the attention.
        grid: Height and width of the map.
        window: Side of a window; it divides the grid.
        shift: Positions by which the windows are shifted; 0 for none.
    """

    mask: Tensor | None

    def __init__(self, width: int, guidance: int, *, heads: int, grid: Grid, window: int, shift: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = GuidedProjections(width, guidance)
        self.merge = nn.Linear(width, width)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self._grid, self._heads, self._window, self._shift = grid, heads, window, shift
        mask = make_window_mask(grid, window=window, shift=shift) if shift else None
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, maps: Tensor, guidance: Tensor | None) -> Tensor:
        """Aggregate maps (B, K, h, w, C) with guidance (B, 1, h, w, G), or None: the shape stays the same."""
        windows = self._split(maps)
        windows = windows + self._attend(self.norm1(windows), None if guidance is None else self._split(guidance))
        windows = windows + self.mlp(self.norm2(windows))  # (B, K, n, N, C)
        joined = join_windows(windows, grid=self._grid, window=self._window)
        return torch.roll(joined, (self._shift, self._shift), dims=(2, 3)) if self._shift else joined

    def _split(self, maps: Tensor) -> Tensor:
        """Split maps (B, K, h, w, C) into shifted windows (B, K, n, N, C)."""
        rolled = torch.roll(maps, (-self._shift, -self._shift), dims=(2, 3)) if self._shift else maps
        return split_windows(rolled, window=self._window)

    def _attend(self, windows: Tensor, guidance: Tensor | None) -> Tensor:
        """Attend within windows, (B, K, n, N, C) with guidance (B, 1, n, N, G) to (B, K, n, N, C)."""
        projected = self.project(windows, guidance).flatten(0, 1).unflatten(3, (3, self._heads, -1))
        query, key, value = projected.permute(3, 0, 1, 4, 2, 5)  # (B·K, n, heads, N, d) each
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=self.mask)
        merged: Tensor = self.merge(attended.transpose(2, 3).flatten(3)).unflatten(0, windows.shape[:2])
        return merged


class SpatialAggregation(nn.Module):
    """Two Swin blocks, the second with windows shifted by half their side.

    Args:
        width: Channels C.
        guidance: Channels G of the guidance; 0 if there is none.
        heads: Heads of the attention.
        side: Height and width of the map.
        window: Side of a window; if it is not smaller than the map, there is one window and no shift.
    """

    def __init__(self, width: int, guidance: int, *, heads: int, side: int, window: int) -> None:
        super().__init__()
        shift, window = (0, side) if side <= window else (window // 2, window)
        self.norm = nn.LayerNorm(guidance) if guidance else None
        self.blocks = nn.ModuleList(
            SwinBlock(width, guidance, heads=heads, grid=(side, side), window=window, shift=offset)
            for offset in (0, shift)
        )

    def forward(self, maps: Tensor, guidance: Tensor | None) -> Tensor:
        """Aggregate maps (B, K, h, w, C) with guidance (B, h, w, G), or None: the shape stays the same."""
        shared = None if guidance is None or self.norm is None else self.norm(guidance)[:, None]
        for block in self.blocks:
            maps = block(maps, shared)
        return maps


def split_windows(maps: Tensor, *, window: int) -> Tensor:
    """Split maps (B, K, h, w, C) into n windows of N positions, (B, K, n, N, C), in row-major order."""
    split = maps.unflatten(3, (-1, window)).unflatten(2, (-1, window))  # (B, K, h/s, s, w/s, s, C)
    arranged: Tensor = split.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return arranged


def join_windows(windows: Tensor, *, grid: Grid, window: int) -> Tensor:
    """Join windows (B, K, n, N, C) to maps (B, K, h, w, C); the inverse of `split_windows`."""
    rows, columns = grid[0] // window, grid[1] // window
    split = windows.unflatten(3, (window, window)).unflatten(2, (rows, columns))  # (B, K, h/s, w/s, s, s, C)
    arranged: Tensor = split.transpose(3, 4).flatten(4, 5).flatten(2, 3)
    return arranged


def make_window_mask(grid: Grid, *, window: int, shift: int) -> Tensor:
    """Return which positions of shifted windows attend to each other: (n, 1, N, N) bool.

    After a cyclic shift, a window at the border holds positions of opposite sides of the map, which do not see each
    other.
    """

    def label(length: int) -> Tensor:
        positions = torch.arange(length)
        return (positions >= length - window).long() + (positions >= length - shift).long()

    regions = 3 * label(grid[0])[:, None] + label(grid[1])[None]  # (h, w)
    labels = split_windows(regions[None, None, :, :, None], window=window)[0, 0, :, :, 0]  # (n, N)
    return (labels[:, :, None] == labels[:, None, :])[:, None]
