"""Semantic Alignment Module (SAM): class embeddings attend to the image before they classify it."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from pydantic import Discriminator, Field, Tag
from torch import Tensor, nn

from benchmark.core.method import Config
from methods.blocks.clip.architecture import read_architecture
from methods.blocks.clip.config import ClipConfig


class SamConfig(Config):
    """Cross-attention from class embeddings to dense features.

    Attributes:
        heads: Number of attention heads; divides the embedding dimension.
    """

    heads: int = Field(default=4, ge=1)


class PrototypeConfig(Config):
    """Class embeddings that move towards the features most similar to them, without learned projections.

    Attributes:
        temperature: Starting value of the learned inverse temperature of the attention.
    """

    kind: Literal["prototypes"] = "prototypes"
    temperature: float = Field(default=15.0, gt=0)


def _find_kind(value: Any) -> str:
    """Return which alignment a value describes; that of `SamConfig` needs no name."""
    names_kind = isinstance(value, Mapping) and value.get("kind") == "prototypes"
    return "prototypes" if names_kind or isinstance(value, PrototypeConfig) else "attention"


AlignmentConfig = Annotated[
    Annotated[SamConfig, Tag("attention")] | Annotated[PrototypeConfig, Tag("prototypes")], Discriminator(_find_kind)
]
"""Config of an alignment."""


class Alignment(nn.Module, ABC):
    """Adaptation of class embeddings to an image."""

    @abstractmethod
    def forward(self, text: Tensor, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Adapt the class embeddings to each image.

        Args:
            text: (K, D) unit vectors of K classes.
            dense: (B, N, D) unit vectors of N positions.
            is_valid: (B, N) bool, positions to attend to; None for all.

        Returns:
            (B, K, D) unit vectors.
        """


class SemanticAlignment(Alignment):
    """Residual cross-attention from classes to pixels, zero at the start (Chimera-Seg's SAM, reconstructed).

    Every class attends independently, so adding classes at test time changes no logits of the other classes.

    Args:
        config: Settings of the attention.
        dimension: Length D of class embeddings and dense features.

    Raises:
        ValueError: The number of heads does not divide the dimension.
    """

    def __init__(self, config: SamConfig, *, dimension: int) -> None:
        super().__init__()
        _check_heads(config, dimension=dimension)
        self.heads = config.heads
        self.query = nn.Linear(dimension, dimension)
        self.key_value = nn.Linear(dimension, 2 * dimension)
        self.output = nn.Linear(dimension, dimension)
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, text: Tensor, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Attend from the classes to the positions; see `Alignment.forward`."""
        per_head = (self.heads, text.shape[1] // self.heads)
        scale = math.sqrt(text.shape[1])  # unit vectors have entries of about 1/√D

        # heads of the queries (B, heads, K, d) and of the keys and values (B, heads, N, d)
        query = self.query(text * scale).unflatten(1, per_head).transpose(0, 1).expand(len(dense), -1, -1, -1)
        key, value = self.key_value(dense * scale).unflatten(2, (2, *per_head)).permute(2, 0, 3, 1, 4)

        # attention of every class over the positions, without the (B, heads, K, N) weights in memory
        mask = None if is_valid is None else is_valid[:, None, None]  # (B, 1, 1, N)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)  # (B, heads, K, d)
        attended = attended.transpose(1, 2).flatten(2)  # (B, K, D)
        return F.normalize(text + self.output(attended) / scale, dim=2)


class PrototypeAlignment(Alignment):
    """Residual attention from classes to pixels whose queries, keys and values are the embeddings as they are.

    Only the temperature of the attention and the length of the step are learned, so nothing can adapt to the seen
    classes alone. The step is zero at the start. Every class attends independently, as in `SemanticAlignment`.

    Args:
        config: Settings of the attention.
    """

    def __init__(self, config: PrototypeConfig) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(config.temperature).log())
        self.step = nn.Parameter(torch.zeros(()))

    def forward(self, text: Tensor, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Attend from the classes to the positions; see `Alignment.forward`."""
        logits = self.log_scale.exp() * torch.einsum("kd,bnd->bkn", text, dense)
        if is_valid is not None:
            logits = logits.masked_fill(~is_valid.unsqueeze(1), -math.inf)
        prototypes = F.normalize(logits.softmax(dim=2) @ dense, dim=2)  # (B, K, D)
        return F.normalize(text + self.step * prototypes, dim=2)


class NoAlignment(Alignment):
    """Unchanged class embeddings: the plain cosine classifier."""

    def forward(self, text: Tensor, dense: Tensor, is_valid: Tensor | None) -> Tensor:
        """Repeat the class embeddings for each of the B images; see `Alignment.forward`."""
        return text.expand(len(dense), *text.shape)


def build_alignment(config: SamConfig | PrototypeConfig | None, *, dimension: int) -> Alignment:
    """Build the alignment that a config describes.

    Args:
        config: Settings; None for the plain cosine classifier.
        dimension: Length D of class embeddings and dense features.

    Raises:
        ValueError: The number of heads does not divide the dimension.
    """
    match config:
        case SamConfig():
            return SemanticAlignment(config, dimension=dimension)
        case PrototypeConfig():
            return PrototypeAlignment(config)
        case None:
            return NoAlignment()


def check_alignment_fits(config: SamConfig | PrototypeConfig | None, clip_config: ClipConfig) -> None:
    """Check that the heads of an alignment divide the embeddings of a CLIP.

    Args:
        config: Settings of the alignment.
        clip_config: CLIP that the embeddings are those of.

    Raises:
        ValueError: The number of heads does not divide the dimension.
    """
    if isinstance(config, SamConfig):
        _check_heads(config, dimension=read_architecture(clip_config.model).embed_dim)


def _check_heads(config: SamConfig, *, dimension: int) -> None:
    if dimension % config.heads:
        raise ValueError(f"sam.heads is {config.heads} and must divide the embedding dimension {dimension}")
