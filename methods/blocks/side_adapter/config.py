"""Configs of a side adapter network and of the recognition of its masks (SAN, arXiv 2302.12242)."""

from __future__ import annotations

from math import ceil
from typing import Annotated, Literal

from pydantic import Field

from benchmark.core.budget import Budget
from benchmark.core.method import Config

TWELFTHS = 12
"""Number of equal parts of CLIP's depth, by which configs name its blocks; the depth of ViT-B."""

Index = Annotated[int, Field(ge=0)]
"""Block of CLIP in twelfths of its depth, or layer of the side network, counted from 0."""


class SideAdapterConfig(Config):
    """Sizes of the side network, a small ViT, and the tokens that it takes from CLIP.

    Attributes:
        width: Length C' of a token.
        depth: Number of layers.
        heads: Attention heads of a layer, a divisor of the width.
        patch: Side of a patch in pixels.
        image_size: Side in pixels of the images that positions are learned for; positions are resized for other images.
        queries: Number Q of queries, each of which proposes a mask.
        channels: Length E of the embeddings of masks and pixels.
        fusion: Pairs of a block of CLIP, in twelfths of its depth, and a side layer, counted from 0: the tokens that
            enter the block are added to those that enter the layer. Empty for a side network without CLIP.
        supervised: Number of the last layers whose masks are trained; predictions come from the last one.
    """

    width: int = Field(default=240, ge=1)
    depth: int = Field(default=8, ge=1)
    heads: int = Field(default=6, ge=1)
    patch: int = Field(default=16, ge=1)
    image_size: int = Field(default=640, ge=1)
    queries: int = Field(default=100, ge=1)
    channels: int = Field(default=256, ge=1)
    fusion: tuple[tuple[Index, Index], ...] = ((0, 0), (3, 1), (6, 2), (9, 3))
    supervised: int = Field(default=2, ge=1)

    def check_plan(self, budget: Budget) -> None:
        """Check that the numbers fit each other.

        Raises:
            ValueError: Two numbers do not fit each other; the message names both.
        """
        if self.width % self.heads:
            raise ValueError(f"side.heads is {self.heads}, expected a divisor of side.width, {self.width}")
        if self.image_size % self.patch:
            raise ValueError(f"side.image_size is {self.image_size}, expected a multiple of side.patch, {self.patch}")
        if self.supervised > self.depth:
            raise ValueError(f"side.supervised is {self.supervised}, expected at most side.depth, {self.depth}")
        layers = [layer for _, layer in self.fusion]
        if any(not 0 <= block < TWELFTHS for block, _ in self.fusion):
            raise ValueError(f"side.fusion is {self.fusion}, expected blocks of 0 to {TWELFTHS - 1} twelfths of CLIP")
        if any(not 0 <= layer < self.depth for layer in layers) or len(set(layers)) < len(layers):
            raise ValueError(f"side.fusion is {self.fusion}, expected different layers of 0 to {self.depth - 1}")


class BiasedTokensConfig(Config):
    """Recognition by copies of CLIP's class token, one for each query, with attention biases of that query.

    Attributes:
        start: First block that the copies pass, in twelfths of CLIP's depth.
        biases: Whether the biases have a head of their own with a map for each head of CLIP's attention, or are the
            masks, the same for all heads.
    """

    kind: Literal["biased tokens"] = "biased tokens"
    start: int = Field(default=9, ge=0, lt=TWELFTHS)
    biases: Literal["own head", "masks"] = "own head"


class MaskPoolingConfig(Config):
    """Recognition by the average of CLIP's dense embeddings under each mask, without attention biases."""

    kind: Literal["mask pooling"] = "mask pooling"


RecognitionConfig = Annotated[BiasedTokensConfig | MaskPoolingConfig, Field(discriminator="kind")]
"""Config of the recognition of masks."""


def find_block(twelfths: int, depth: int) -> int:
    """Return the index of the block at a number of twelfths of a CLIP's depth, rounded."""
    return min((twelfths * depth + TWELFTHS // 2) // TWELFTHS, depth - 1)


def compute_stride(side_patch: int, clip_patch: int, *, clip_scale: float) -> int:
    """Return the divisor of the sides of images: the fewest patches of the side network that hold a patch of CLIP.

    It is 32 for ViT-B/16 at half the size and for ViT-L/14 at 0.7 of it, as in the official code.

    Args:
        side_patch: Side of a patch of the side network in pixels.
        clip_patch: Side of a patch of CLIP in pixels of its own images.
        clip_scale: Size of CLIP's images as a share of the side network's.
    """
    return side_patch * ceil(clip_patch / (clip_scale * side_patch))
