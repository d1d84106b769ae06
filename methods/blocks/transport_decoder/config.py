"""Configs of optimal transport and of a decoder that attends by it."""

from __future__ import annotations

from pydantic import Field

from benchmark.core.method import Config
from methods.blocks.mask_decoder import QueryFormat


class TransportConfig(Config):
    """Entropic optimal transport by Sinkhorn's iterations.

    Attributes:
        epsilon: Weight of the entropy; above 0.03, since smaller ones leave the range of float32.
        iterations: Largest number of iterations.
        tolerance: Mean change of a potential below which the iterations end early.
    """

    epsilon: float = Field(default=0.05, gt=0.03)
    iterations: int = Field(default=100, ge=1)
    tolerance: float = Field(default=1e-6, ge=0)


class TransportDecoderConfig(Config):
    """A decoder that attends by optimal transport.

    Attributes:
        transport: Optimal transport of attention and masks; None for a softmax over the texts of a class.
        queries: Input of the queries.
        layers: Number of layers; the mask is the product of their scores.
        hidden: Width of the hidden layer of an MLP, as a multiple of the length of an embedding.
        dropout: Share of attention weights, attended values and values of the MLP that are dropped in training.
    """

    transport: TransportConfig | None = TransportConfig()
    queries: QueryFormat = "product, text"
    layers: int = Field(default=3, ge=1)
    hidden: int = Field(default=4, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)
