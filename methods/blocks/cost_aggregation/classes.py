"""Aggregation of costs over classes: linear attention (arXiv 2006.16236) guided by class embeddings.

A map is (B, K, h, w, C): the cost embedding of K classes.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.cost_aggregation.spatial import GuidedProjections
from methods.blocks.mlp import Mlp
from methods.blocks.padding import Grid

EPSILON = 1e-6
"""Added to the denominator of the attention."""


class ClassAggregation(nn.Module):
    """Attention from every class to all classes at the same position, then an MLP, at a lower resolution.

    Costs of fewer classes than slots are filled up with a learned token, so that the attention always has as many
    keys. All these tokens are equal, so one is computed, and its term is multiplied by their number.

    Args:
        width: Channels C.
        guidance: Channels G of the guidance; 0 if there is none.
        heads: Heads of the attention.
        pool: Side of the squares of positions that are averaged before the attention.
        slots: Number of classes up to which the learned token fills up.
    """

    def __init__(self, width: int, guidance: int, *, heads: int, pool: int, slots: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.project = GuidedProjections(width, guidance)
        self.mlp = Mlp(width, 4 * width, width, layers=2)
        self.empty = nn.Parameter(torch.zeros(width))
        self.empty_guidance = nn.Parameter(torch.zeros(guidance)) if guidance else None
        self._heads, self._pool, self._slots = heads, pool, slots

    def forward(self, maps: Tensor, guidance: Tensor | None) -> Tensor:
        """Aggregate maps (B, K, h, w, C) with guidance (B or 1, K, G), or None: the shape stays the same."""
        squares = maps.unflatten(3, (-1, self._pool)).unflatten(2, (-1, self._pool))
        pooled = squares.mean(dim=(3, 5))  # (B, K, h/p, w/p, C)
        shared = None if guidance is None else guidance[:, :, None, None]
        pooled = pooled + self._attend(self.norm1(pooled), shared)
        pooled = pooled + self.mlp(self.norm2(pooled))
        return maps + resize_corners(pooled, (maps.shape[2], maps.shape[3]))

    def _attend(self, maps: Tensor, guidance: Tensor | None) -> Tensor:
        """Attend over classes, (B, K, h, w, C) with guidance (B or 1, K, 1, 1, G) to (B, K, h, w, C)."""
        query, key, value = self._split_heads(self.project(maps, guidance))
        products = torch.einsum("bkyxhd,bkyxhe->byxhde", key, value)
        keys = key.sum(dim=1)  # (B, y, x, heads, d)
        count = max(0, self._slots - maps.shape[1])
        if count:
            _, empty_key, empty_value = self._split_heads(self.project(self.norm1(self.empty), self.empty_guidance))
            products = products + count * torch.einsum("hd,he->hde", empty_key, empty_value)
            keys = keys + count * empty_key
        weighted = torch.einsum("bkyxhd,byxhde->bkyxhe", query, products)
        total = torch.einsum("bkyxhd,byxhd->bkyxh", query, keys) + EPSILON
        return (weighted / total[..., None]).flatten(4)

    def _split_heads(self, projected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Split projections (…, 3 C) into queries, keys and values (…, heads, d), the first two with elu(x) + 1."""
        query, key, value = projected.unflatten(-1, (3, self._heads, -1)).unbind(-3)
        return F.elu(query) + 1, F.elu(key) + 1, value


def resize_corners(maps: Tensor, size: Grid) -> Tensor:
    """Resize maps bilinearly with aligned corners, as products whose gradient is deterministic on every device.

    Args:
        maps: (B, K, h, w, C).
        size: Height H and width W of the result.

    Returns:
        (B, K, H, W, C).
    """
    if size == (maps.shape[2], maps.shape[3]):
        return maps
    rows, columns = (_compute_weights(*sides).to(maps) for sides in zip(maps.shape[2:4], size, strict=True))
    return torch.einsum("bkyxc,yh,xw->bkhwc", maps, rows, columns)


@lru_cache(maxsize=16)
def _compute_weights(old: int, new: int) -> Tensor:
    """Compute the weights of linear interpolation with aligned corners between two lengths, (old, new)."""
    with torch.inference_mode(mode=False):
        return F.interpolate(torch.eye(old)[:, None], size=new, mode="linear", align_corners=True)[:, 0]
