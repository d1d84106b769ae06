"""Scores of classes at every position of an image, from a frozen CLIP without training."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from methods.blocks.clip.attention import Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.clip.positions import Interpolation
from methods.blocks.dense_clip.attention_source import AttentionSource
from methods.blocks.images import Normalize
from methods.blocks.inner_products import compute_inner_products
from methods.blocks.padding import Grid


class DenseScores(nn.Module, ABC):
    """Scores of classes at every position of an image.

    Args:
        encoder: CLIP's image encoder.
        interpolation: Interpolation of its positions.
        temperature: Inverse temperature τ of the cosines.
    """

    def __init__(self, encoder: ClipImageEncoder, *, interpolation: Interpolation, temperature: float) -> None:
        super().__init__()
        self.encoder, self.interpolation, self.temperature = encoder, interpolation, temperature
        self.normalize = Normalize(encoder.mean, encoder.std)

    @abstractmethod
    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the scores of K classes.

        Args:
            images: (B, 3, H, W), RGB in 0-255, H and W multiples of the patch size.
            classes: (K, D) unit vectors.

        Returns:
            (B, K, h, w).
        """

    def embed(self, images: Tensor) -> tuple[Tensor, Grid]:
        """Compute the tokens before the first block and their grid: images as in `forward`."""
        return self.encoder.embed(self.normalize(images), interpolation=self.interpolation)

    def compare(self, dense: Tensor, classes: Tensor) -> Tensor:
        """Compute scaled cosines.

        Models that were trained with a sigmoid loss (SigLIP) also have a bias of logits; it is the same for all classes
        and left out.

        Args:
            dense: Embeddings (B, D, h, w).
            classes: (K, D) unit vectors.

        Returns:
            (B, K, h, w).
        """
        return self.temperature * compute_inner_products(F.normalize(dense.float(), dim=1), classes)


class LastBlockScores(DenseScores):
    """Scaled cosines of the embeddings that CLIP gives with another attention and tail in its last block.

    Args:
        encoder: CLIP's image encoder.
        source: Attention of the last block.
        tail: What follows that attention.
        interpolation: Interpolation of CLIP's positions.
        temperature: Inverse temperature of the cosines.
    """

    def __init__(
        self,
        encoder: ClipImageEncoder,
        *,
        source: AttentionSource,
        tail: Tail,
        interpolation: Interpolation,
        temperature: float,
    ) -> None:
        super().__init__(encoder, interpolation=interpolation, temperature=temperature)
        self.source, self.tail = source, tail

    def forward(self, images: Tensor, classes: Tensor) -> Tensor:
        """Compute the scores of K classes; shapes as in `DenseScores.forward`."""
        tokens, grid = self.embed(images)
        attention = self.source(images, grid)
        dense = self.encoder.run_last_blocks(tokens, start=0, attention=attention.attend, tail=self.tail, grid=grid)
        height, width = attention.grid
        return self.compare(to_map(dense[:, -height * width :], attention.grid), classes)
