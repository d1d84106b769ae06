"""Residual blocks of image encoders under one interface, so that their attention can be replaced."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from methods.blocks.clip.attention_layers import AttentionLayer, MultiheadLayer, TimmLayer


class ResidualBlock(ABC):
    """What a residual block does before and after its attention.

    Attributes:
        attention: Projections of the attention layer.
    """

    attention: AttentionLayer

    @abstractmethod
    def normalize(self, tokens: Tensor) -> Tensor:
        """Compute what enters the attention layer: tokens (B, L, C) to (B, L, C)."""

    @abstractmethod
    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Add the attended tokens, and then what the MLP makes of the sum.

        Args:
            tokens: (B, M, C) that entered the block.
            attended: (B, M, C) after the attention layer.

        Returns:
            (B, M, C).
        """


class OpenClipBlock(ResidualBlock):
    """A block of open_clip's own ViT.

    Args:
        block: An open_clip `ResidualAttentionBlock`.
    """

    def __init__(self, block: Any) -> None:
        self._block, self.attention = block, MultiheadLayer(block.attn)

    def normalize(self, tokens: Tensor) -> Tensor:
        """Normalize tokens (B, L, C)."""
        normalized: Tensor = self._block.ln_1(tokens)
        return normalized

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Add attended tokens and MLP, (B, M, C) each, with their layer scales."""
        block = self._block
        tokens = tokens + block.ls_1(attended)
        mixed: Tensor = tokens + block.ls_2(block.mlp(block.ln_2(tokens)))
        return mixed


class TimmBlock(ResidualBlock):
    """A block of timm's `VisionTransformer`.

    Args:
        block: A timm `Block`.
    """

    def __init__(self, block: Any) -> None:
        self._block, self.attention = block, TimmLayer(block.attn)

    def normalize(self, tokens: Tensor) -> Tensor:
        """Normalize tokens (B, L, C)."""
        normalized: Tensor = self._block.norm1(tokens)
        return normalized

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Add attended tokens and MLP, (B, M, C) each, with their layer scales."""
        block = self._block
        tokens = tokens + block.ls1(attended)
        mixed: Tensor = tokens + block.ls2(block.mlp(block.norm2(tokens)))
        return mixed


class EvaTowerBlock(ResidualBlock):
    """A block of timm's `Eva`.

    Args:
        block: A timm `EvaBlock`.
        rope: Sines and cosines of the patches; None without rotary positions.
    """

    def __init__(self, block: Any, *, rope: Tensor | None) -> None:
        self._block, self.attention = block, TimmLayer(block.attn, rope=rope)

    def normalize(self, tokens: Tensor) -> Tensor:
        """Normalize tokens (B, L, C)."""
        normalized: Tensor = self._block.norm1(tokens)
        return normalized

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Add attended tokens and MLP, (B, M, C) each, with their layer scales if there are any."""
        block = self._block
        tokens = tokens + (attended if block.gamma_1 is None else block.gamma_1 * attended)
        widened: Tensor = block.mlp(block.norm2(tokens))
        return tokens + (widened if block.gamma_2 is None else block.gamma_2 * widened)


class PostNormBlock(ResidualBlock):
    """A block of timm's `Eva` that normalizes after attention and MLP, as in EVA02-CLIP-E.

    Args:
        block: A timm `EvaBlockPostNorm`.
        rope: Sines and cosines of the patches; None without rotary positions.
    """

    def __init__(self, block: Any, *, rope: Tensor | None) -> None:
        self._block, self.attention = block, TimmLayer(block.attn, rope=rope)

    def normalize(self, tokens: Tensor) -> Tensor:
        """Return tokens (B, L, C) as they are."""
        return tokens

    def finish(self, tokens: Tensor, attended: Tensor) -> Tensor:
        """Add the normalized attended tokens and the normalized MLP, (B, M, C) each."""
        block = self._block
        tokens = tokens + block.norm1(attended)
        mixed: Tensor = tokens + block.norm2(block.mlp(tokens))
        return mixed
