"""Poolings of timm's image encoders: of all tokens of an image, or of each token by itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch.nn.functional as F
from torch import Tensor


class TokenPooling(ABC):
    """A map of normalized tokens to what is projected.

    Dense embeddings need each token by itself, as if it was alone in its image: an average, a class token or an
    attention over a single token returns the token, or its value.
    """

    @abstractmethod
    def pool(self, tokens: Tensor) -> Tensor:
        """Pool the tokens of images, (B, P + h·w, C) to (B, C)."""

    @abstractmethod
    def pool_each(self, tokens: Tensor) -> Tensor:
        """Pool each token by itself, (..., C) to (..., C)."""


class ClassTokenPooling(TokenPooling):
    """The class token, which is the first one."""

    def pool(self, tokens: Tensor) -> Tensor:
        """Return the first tokens, (B, L, C) to (B, C)."""
        return tokens[:, 0]

    def pool_each(self, tokens: Tensor) -> Tensor:
        """Return the tokens."""
        return tokens


class MeanPooling(TokenPooling):
    """The mean of the patches.

    Args:
        num_prefix: Number of tokens before the patches, which are left out.
    """

    def __init__(self, *, num_prefix: int) -> None:
        self._num_prefix = num_prefix

    def pool(self, tokens: Tensor) -> Tensor:
        """Average the patches, (B, P + h·w, C) to (B, C)."""
        return tokens[:, self._num_prefix :].mean(dim=1)

    def pool_each(self, tokens: Tensor) -> Tensor:
        """Return the tokens."""
        return tokens


class AttentionPooling(TokenPooling):
    """Attention of one learned query to all tokens, and an MLP (the MAP head of SigLIP).

    Each token by itself takes the value path of this head, as in MaskCLIP (arXiv 2112.01071): value, output projection
    and MLP, which is the head's own output for an image of this token alone.

    Args:
        head: A timm `AttentionPoolLatent` with one query.
        num_skipped: Number of first tokens that the query does not attend to.
    """

    def __init__(self, head: Any, *, num_skipped: int) -> None:
        self._head, self._num_skipped = head, num_skipped

    def pool(self, tokens: Tensor) -> Tensor:
        """Attend from the query, (B, L, C) to (B, C)."""
        pooled: Tensor = self._head(tokens[:, self._num_skipped :])
        return pooled

    def pool_each(self, tokens: Tensor) -> Tensor:
        """Take the value path, (..., C) to (..., C)."""
        head, linear = self._head, self._head.kv
        size = linear.out_features // 2  # keys, then values
        bias = None if linear.bias is None else linear.bias[size:]
        values = head.proj(F.linear(tokens, linear.weight[size:], bias))
        mixed: Tensor = values if head.mlp is None else values + head.mlp(head.norm(values))
        return mixed
