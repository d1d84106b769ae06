"""Configs of class queries and the decoder of masks."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.method import Config

QueryFormat = Literal["product, text", "product", "difference, text", "difference", "image, text", "text"]
"""Input of the queries, made from the embedding g of an image and t of a class: products g·t, absolute differences
|g - t| or g, value by value, with or without t; or t alone, which is the same for every image."""


class MaskDecoderConfig(Config):
    """The decoder of masks.

    Attributes:
        queries: Input of the queries; all but "text" are a relationship descriptor of ZegCLIP.
        layers: Number of cross-attention layers; the attention of the last one is the mask.
        heads: Number of attention heads, a divisor of the length of an embedding.
        hidden: Width of the hidden layer of an MLP, as a multiple of the length of an embedding.
        dropout: Share of attention weights, attended values and values of the MLP that are dropped in training.
    """

    queries: QueryFormat = "product, text"
    layers: int = Field(default=3, ge=1)
    heads: int = Field(default=8, ge=1)
    hidden: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def check_width(self, dimension: int) -> None:
        """Check that the heads divide the length of an embedding.

        Raises:
            ValueError: The heads do not divide it.
        """
        if dimension % self.heads:
            raise ValueError(f"decoder.heads={self.heads} does not divide {dimension}, the length of an embedding")
