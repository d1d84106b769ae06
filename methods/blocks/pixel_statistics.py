"""Normalization of the images that CLIP gets: some official code takes the statistics of ImageNet."""

from __future__ import annotations

from typing import Literal

from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.images import IMAGENET_MEAN, IMAGENET_STD, Normalize

PixelStatistics = Literal["ImageNet", "CLIP"]
"""Mean and standard deviation of pixels: those of ImageNet, or those that CLIP was trained with."""


def build_normalize(statistics: PixelStatistics, encoder: ClipImageEncoder) -> Normalize:
    """Build the normalization of images (B, 3, H, W) with given statistics.

    Args:
        statistics: Whose statistics.
        encoder: CLIP's image encoder, which has its own.
    """
    is_clip = statistics == "CLIP"
    return Normalize(encoder.mean, encoder.std) if is_clip else Normalize(IMAGENET_MEAN, IMAGENET_STD)
