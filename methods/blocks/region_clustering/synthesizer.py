"""Synthesizer of CLIP-ZSS: a decoder of the mean features of regions to classifier rows (a reconstruction)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.config import ClipConfig


class SynthesizerLayer(nn.Module):
    """Attention between the regions of an image, a linear map of the class token, and a two-layer network.

    Args:
        dimension: Length D of all vectors.
        heads: Attention heads.
    """

    def __init__(self, dimension: int, *, heads: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dimension)
        self.attention = nn.MultiheadAttention(dimension, heads, batch_first=True)
        self.from_class_token = nn.Linear(dimension, dimension)
        self.mlp = nn.Sequential(
            nn.LayerNorm(dimension), nn.Linear(dimension, 4 * dimension), nn.GELU(), nn.Linear(4 * dimension, dimension)
        )

    def forward(self, regions: Tensor, class_tokens: Tensor, is_hidden: Tensor) -> Tensor:
        """Decode regions.

        Args:
            regions: (B, M, D).
            class_tokens: (B, D).
            is_hidden: (B·heads, M, M) bool, pairs of a query and a key between which there is no attention.

        Returns:
            (B, M, D).
        """
        normed = self.norm(regions)
        regions = regions + self.attention(normed, normed, normed, attn_mask=is_hidden, need_weights=False)[0]
        regions = regions + self.from_class_token(class_tokens).unsqueeze(1)
        decoded: Tensor = regions + self.mlp(regions)
        return decoded


class Synthesizer(nn.Module):
    """Decoder of the mean features of regions to classifier rows.

    Args:
        dimension: Length D of all vectors.
        layers: Number of layers.
        heads: Attention heads of a layer.

    Raises:
        ValueError: The heads do not divide the dimension.
    """

    def __init__(self, dimension: int, *, layers: int, heads: int) -> None:
        super().__init__()
        _check_heads(heads, dimension=dimension)
        self.heads = heads
        self.layers = nn.ModuleList(SynthesizerLayer(dimension, heads=heads) for _ in range(layers))

    def forward(self, regions: Tensor, class_tokens: Tensor, is_present: Tensor) -> Tensor:
        """Compute classifier rows.

        Args:
            regions: (B, M, D) mean features.
            class_tokens: (B, D) unit vectors.
            is_present: (B, M) bool; the rows of absent regions have no meaning and no influence on others.

        Returns:
            (B, M, D).
        """
        itself = torch.eye(regions.shape[1], dtype=torch.bool, device=regions.device)
        is_hidden = ~(is_present.unsqueeze(1) | itself).repeat_interleave(self.heads, dim=0)
        lengthened = class_tokens * math.sqrt(class_tokens.shape[1])  # entries of about one, as those of other inputs
        for layer in self.layers:
            regions = layer(regions, lengthened, is_hidden)
        return regions


def check_synthesizer_fits(heads: int, clip_config: ClipConfig) -> None:
    """Check that the heads of a synthesizer divide the embeddings of a CLIP.

    Args:
        heads: Attention heads of a layer.
        clip_config: CLIP that the embeddings are those of.

    Raises:
        ValueError: The number of heads does not divide the dimension.
    """
    _check_heads(heads, dimension=read_architecture(clip_config.model).embed_dim)


def _check_heads(heads: int, *, dimension: int) -> None:
    if dimension % heads:
        raise ValueError(f"plm.heads is {heads}, expected a divisor of the embedding dimension, {dimension}")
