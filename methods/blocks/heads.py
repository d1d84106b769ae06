"""Heads that map a body's features to CLIP's embedding space: the CLIP Semantic Head and its replacements."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from itertools import pairwise
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.image_encoder import Attention, ClipImageEncoder, resize_positions, to_map
from methods.blocks.clip.plan_checks import read_architecture
from methods.blocks.padding import Grid
from methods.blocks.ridge import Ridge


class CshConfig(Config):
    """CLIP Semantic Head: the last blocks of CLIP, frozen, after a trained adapter.

    The start is fitted to the tokens that enter these blocks, so the target of the head's output is CLIP's dense map
    under the same attention.

    Attributes:
        blocks: Number of CLIP's last blocks; None for all of them (the full-CLIP head).
        attention: Attention of the very last block.
    """

    kind: Literal["csh"] = "csh"
    blocks: int | None = Field(default=1, ge=1)
    attention: Attention = "vanilla"


class LinearConfig(Config):
    """One trained linear map into the embedding space, without CSH.

    Attributes:
        start: Attention of CLIP's last block for the dense map that the start is fitted to. A fair comparison with CSH
            needs the attention of that CSH.
    """

    kind: Literal["linear"] = "linear"
    start: Attention = "vanilla"


class MlpConfig(Config):
    """Two trained layers, as deep as CSH but without CLIP.

    Attributes:
        hidden: Width between the layers. The first layer stays random at the start.
        start: See `LinearConfig`; the last layer is fitted.
    """

    kind: Literal["mlp"] = "mlp"
    hidden: int = Field(default=256, ge=1)
    start: Attention = "vanilla"


HeadConfig = Annotated[CshConfig | LinearConfig | MlpConfig, Field(discriminator="kind")]
"""Config of a head."""


class Head(nn.Module, ABC):
    """Trained map from features to dense embeddings that can be initialized from CLIP's tokens."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""

    @abstractmethod
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Fit the trained maps to CLIP in closed form.

        Args:
            pairs: Features (B, C, h, w) as they are in training, CLIP's tokens before the first block
                (B, 1 + H·W, width) and their grid (H, W), of the same images without padding.
        """


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalize each position of a map (B, C, h, w); the shape stays the same."""
        return super().forward(input.movedim(1, 3)).movedim(3, 1)


def pool_to_grid(features: Tensor, grid: Grid) -> Tensor:
    """Average the features under every CLIP patch.

    Args:
        features: (B, C, h, w).
        grid: Grid of the patches (H, W).

    Returns:
        (B·H·W, C).
    """
    return F.adaptive_avg_pool2d(features, grid).movedim(1, 3).flatten(0, 2)


def set_linear(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Set the parameters of a linear layer or 1x1 convolution.

    Args:
        layer: Layer from C to D channels.
        weight: (D, C).
        bias: (D,).
    """
    state = {"weight": weight.reshape(layer.weight.shape), "bias": bias}
    layer.load_state_dict(state)


class ClipSemanticHead(Head):
    """Adapter, CLIP's positions, the last frozen blocks, CLIP's own norm and projection.

    The class token, which the blocks attend to, is a trained linear map of the mean feature: CLIP's own class token
    would require CLIP's first blocks at test time. With all blocks, adapter and positions are followed by CLIP's
    `ln_pre`, as in CLIP, where the adapter replaces the patch embedding.

    Args:
        image_encoder: The frozen CLIP.
        channels: Number C of feature channels.
        blocks: Number of CLIP's last blocks; None for all of them.
        attention: Attention of the very last block.

    Raises:
        ValueError: CLIP has fewer blocks.
    """

    def __init__(
        self, image_encoder: ClipImageEncoder, *, channels: int, blocks: int | None, attention: Attention
    ) -> None:
        super().__init__()
        self.image_encoder, self.attention = image_encoder, attention
        _check_depth(blocks or 0, depth=image_encoder.depth)
        self.start = 0 if blocks is None else image_encoder.depth - blocks
        self.norm = ChannelNorm(channels)
        self.adapter = nn.Conv2d(channels, image_encoder.width, kernel_size=1)
        self.class_adapter = nn.Linear(channels, image_encoder.width)

    def compute_tokens(self, features: Tensor) -> Tensor:
        """Compute the tokens before the first frozen block: (B, C, h, w) to (B, 1 + h·w, width)."""
        features = self.norm(features)
        patches = self.adapter(features).flatten(2).transpose(1, 2)  # (B, h·w, width)
        class_token = self.class_adapter(features.mean(dim=(2, 3))).unsqueeze(1)  # (B, 1, width)
        positions = self._resize_positions((features.shape[2], features.shape[3]))
        return torch.cat([class_token, patches], dim=1) + positions

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""
        grid = (features.shape[2], features.shape[3])
        tokens = self.compute_tokens(features)
        dense = self.image_encoder.run_last_blocks(tokens, start=self.start, attention=self.attention)
        return to_map(dense[:, 1:], grid)

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Regress CLIP's tokens before the first frozen block on the features under each patch.

        Args:
            pairs: Features (B, C, h, w), CLIP's tokens before the first block (B, 1 + H·W, width) and their
                grid (H, W).
        """
        patches, class_token = Ridge(), Ridge(penalty=0.1)
        for features, tokens, grid in pairs:
            features = self.norm(features)
            entering = self.image_encoder.run_blocks(tokens, start=0, stop=self.start) if self.start else tokens
            target = entering - self._resize_positions(grid)
            patches.add(pool_to_grid(features, grid), target[:, 1:].flatten(0, 1))
            class_token.add(features.mean(dim=(2, 3)), target[:, 0])
        set_linear(self.adapter, *patches.solve())
        set_linear(self.class_adapter, *class_token.solve())

    def _resize_positions(self, grid: Grid) -> Tensor:
        """Return CLIP's positional embedding for a grid (h, w): (1 + h·w, width)."""
        encoder = self.image_encoder
        return resize_positions(encoder.visual.positional_embedding, trained=encoder.trained_grid, grid=grid)


class PlainHead(Head):
    """Trained layers from the body's width to the embedding space; the last one is linear.

    Args:
        image_encoder: The CLIP whose dense map provides starting values; not a submodule of this head.
        layers: Widths from the body's channels to the embedding dimension, (C, D) or (C, hidden, D).
        start: Attention of the last block for that dense map.
    """

    def __init__(self, image_encoder: ClipImageEncoder, *, layers: tuple[int, ...], start: Attention) -> None:
        super().__init__()
        self._image_encoder = (image_encoder,)  # in a tuple, so that it is no submodule
        self._start = start
        self.norm = ChannelNorm(layers[0])
        self.hidden = nn.Sequential(*(nn.Sequential(nn.Conv2d(a, b, 1), nn.GELU()) for a, b in pairwise(layers[:-1])))
        self.project = nn.Conv2d(layers[-2], layers[-1], kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """Map features (B, C, h, w) to dense embeddings (B, D, h, w), not normalized."""
        projected: Tensor = self.project(self.hidden(self.norm(features)))
        return projected

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Regress CLIP's dense embeddings, scaled to unit length, on the features under each patch.

        Args:
            pairs: Features (B, C, h, w), CLIP's tokens before the first block (B, 1 + H·W, width) and their
                grid (H, W).
        """
        (image_encoder,) = self._image_encoder
        ridge = Ridge()
        for features, tokens, grid in pairs:
            dense = F.normalize(image_encoder.run_last_blocks(tokens, start=0, attention=self._start), dim=-1)
            ridge.add(pool_to_grid(self.hidden(self.norm(features)), grid), dense[:, 1:].flatten(0, 1))
        set_linear(self.project, *ridge.solve())


def check_head_fits(config: CshConfig | LinearConfig | MlpConfig, clip_config: ClipConfig) -> None:
    """Check that a CLIP has as many blocks as its head needs.

    Args:
        config: Kind and size of the head.
        clip_config: CLIP that the head is taken from.

    Raises:
        ValueError: CLIP has fewer blocks.
    """
    if isinstance(config, CshConfig) and config.blocks is not None:
        _check_depth(config.blocks, depth=read_architecture(clip_config.model).depth)


def _check_depth(blocks: int, *, depth: int) -> None:
    if blocks > depth:
        raise ValueError(f"head.blocks is {blocks}, but this CLIP has only {depth} blocks")


def build_head(config: CshConfig | LinearConfig | MlpConfig, *, image_encoder: ClipImageEncoder, channels: int) -> Head:
    """Build the head that a config describes.

    Args:
        config: Kind and size of the head.
        image_encoder: The frozen CLIP.
        channels: Number of feature channels.
    """
    match config:
        case CshConfig():
            return ClipSemanticHead(image_encoder, channels=channels, blocks=config.blocks, attention=config.attention)
        case LinearConfig():
            return PlainHead(image_encoder, layers=(channels, image_encoder.embed_dim), start=config.start)
        case MlpConfig():
            layers = (channels, config.hidden, image_encoder.embed_dim)
            return PlainHead(image_encoder, layers=layers, start=config.start)
