"""Attention layers of image encoders under one interface: projection of tokens to heads, and back.

Notation as in `methods.blocks.clip.attention`: H heads of dimension d.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class AttentionLayer(ABC):
    """Projections of an attention layer, without the attention between them."""

    @abstractmethod
    def project(self, tokens: Tensor, *, start: int = 0, stop: int = 3) -> tuple[Tensor, ...]:
        """Compute some of queries (0), keys (1) and values (2) of all heads, as the layer multiplies them.

        Args:
            tokens: (B, L, C) normalized.
            start: Index of the first of them.
            stop: Index after the last of them.

        Returns:
            stop - start tensors, each (B, H, L, d).
        """

    @abstractmethod
    def project_shifted(self, tokens: Tensor, shift: Tensor, *, num_prefix: int) -> tuple[Tensor, ...]:
        """Compute queries, keys and values of tokens to whose patches a vector of zeros is added.

        The gradient for this vector is the sum of those for the patches.

        Args:
            tokens: (B, P + N, C) normalized.
            shift: (1, 1, C) zeros that require gradients.
            num_prefix: Number P of tokens before the patches.

        Returns:
            Three tensors, each (B, H, P + N, d).
        """

    @abstractmethod
    def merge(self, attended: Tensor) -> Tensor:
        """Apply the output projection to weighted values of all heads, (B, H, L, d) to (B, L, C)."""


class MultiheadLayer(AttentionLayer):
    """The attention layer of torch, which open_clip's own ViT has.

    Args:
        layer: Layer whose heads share one input projection.
    """

    def __init__(self, layer: nn.MultiheadAttention) -> None:
        self._layer = layer

    def project(self, tokens: Tensor, *, start: int = 0, stop: int = 3) -> tuple[Tensor, ...]:
        """Compute some of queries, keys and values in one product; see `AttentionLayer.project`."""
        layer = self._layer
        rows = slice(start * layer.embed_dim, stop * layer.embed_dim)
        projected = F.linear(tokens, layer.in_proj_weight[rows], layer.in_proj_bias[rows])
        heads = projected.unflatten(2, (stop - start, layer.num_heads, -1)).permute(2, 0, 3, 1, 4)
        return tuple(heads.unbind(0))

    def project_shifted(self, tokens: Tensor, shift: Tensor, *, num_prefix: int) -> tuple[Tensor, ...]:
        """Project tokens and shift apart, so that gradients are summed over patches before they pass the projections.

        Arguments and result as in `AttentionLayer.project_shifted`.
        """
        shifts = F.linear(shift, self._layer.in_proj_weight).unflatten(2, (3, self._layer.num_heads, -1))
        return tuple(
            torch.cat([heads[:, :, :num_prefix], heads[:, :, num_prefix:] + some], dim=2)
            for heads, some in zip(self.project(tokens), shifts.permute(2, 0, 3, 1, 4), strict=True)
        )

    def merge(self, attended: Tensor) -> Tensor:
        """Apply the output projection, (B, H, L, d) to (B, L, C)."""
        merged: Tensor = self._layer.out_proj(attended.transpose(1, 2).flatten(2))
        return merged


class TimmLayer(AttentionLayer):
    """An attention layer of timm: fused or separate projections, norms of queries, keys and the merged heads, RoPE.

    Queries and keys are normalized and rotated before any product. Products of queries with queries, or of keys with
    keys, therefore also depend on the distance of two patches, as those of queries with keys do in the trained layer.
    Values are never rotated.

    Args:
        layer: `Attention`, `EvaAttention` or `AttentionRope` of timm.
        rope: Sines and cosines of the h·w patches (h·w, 2·d); None without rotary positions.
    """

    def __init__(self, layer: Any, *, rope: Tensor | None = None) -> None:
        self._layer, self._rope = layer, rope

    def project(self, tokens: Tensor, *, start: int = 0, stop: int = 3) -> tuple[Tensor, ...]:
        """Compute some of queries, keys and values; see `AttentionLayer.project`.

        The last h·w tokens are the patches, which are rotated; fewer tokens than that are class tokens or registers.
        """
        norms = (self._layer.q_norm, self._layer.k_norm, nn.Identity())
        weights = list(zip(_split_weights(self._layer), norms, strict=True))[start:stop]
        heads = [
            norm(F.linear(tokens, weight, bias).unflatten(2, (self._layer.num_heads, -1)).transpose(1, 2))
            for (weight, bias), norm in weights
        ]
        return tuple(self._rotate(some) if part < 2 else some for part, some in enumerate(heads, start))

    def project_shifted(self, tokens: Tensor, shift: Tensor, *, num_prefix: int) -> tuple[Tensor, ...]:
        """Project the shifted tokens, because norms and rotations are not linear; see `AttentionLayer`."""
        return self.project(torch.cat([tokens[:, :num_prefix], tokens[:, num_prefix:] + shift], dim=1))

    def merge(self, attended: Tensor) -> Tensor:
        """Apply norm and output projection, (B, H, L, d) to (B, L, C)."""
        merged: Tensor = self._layer.proj(self._layer.norm(attended.transpose(1, 2).flatten(2)))
        return merged

    def _rotate(self, heads: Tensor) -> Tensor:
        """Rotate the patches among queries or keys (B, H, L, d) of all tokens."""
        if self._rope is None or heads.shape[2] < len(self._rope):
            return heads
        prefix, patches = heads.split([heads.shape[2] - len(self._rope), len(self._rope)], dim=2)
        sines, cosines = self._rope.chunk(2, dim=1)
        turned = _turn_halves(patches) if getattr(self._layer, "rotate_half", False) else _turn_pairs(patches)
        return torch.cat([prefix, (patches * cosines + turned * sines).to(heads.dtype)], dim=2)


def _turn_pairs(heads: Tensor) -> Tensor:
    """Turn neighboring coordinates by a right angle, (a, b) to (-b, a): (..., d) to (..., d)."""
    return torch.stack([-heads[..., 1::2], heads[..., ::2]], dim=-1).flatten(-2)


def _turn_halves(heads: Tensor) -> Tensor:
    """Turn each coordinate of the first half and its partner of the second by a right angle: (..., d) to (..., d)."""
    first, second = heads.chunk(2, dim=-1)
    return torch.cat([-second, first], dim=-1)


def _split_weights(layer: Any) -> list[tuple[Tensor, Tensor | None]]:
    """Return weight (H·d, C) and bias (H·d,) of queries, keys and values."""
    if layer.qkv is None:
        return [(part.weight, part.bias) for part in (layer.q_proj, layer.k_proj, layer.v_proj)]
    weights = layer.qkv.weight.chunk(3)
    if getattr(layer, "q_bias", None) is not None:  # EvaAttention keeps biases apart, and keys have none
        return list(zip(weights, (layer.q_bias, None, layer.v_bias), strict=True))
    biases = (None,) * 3 if layer.qkv.bias is None else layer.qkv.bias.chunk(3)
    return list(zip(weights, biases, strict=True))
