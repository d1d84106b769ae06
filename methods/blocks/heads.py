"""Heads that turn a body's features into CLIP's joint space: the CLIP Semantic Head and what replaces it."""

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
from methods.blocks.clip.image_encoder import Attention, ClipImageEncoder, Grid, resize_positions, to_map
from methods.blocks.ridge import Ridge


class CshConfig(Config):
    """CLIP Semantic Head: the last blocks of CLIP, frozen, behind a trained adapter.

    Attributes:
        blocks: how many of CLIP's last blocks; None for all of them (the full-CLIP head).
        attention: of the very last block.
    """

    kind: Literal["csh"] = "csh"
    blocks: int | None = Field(default=1, ge=1)
    attention: Attention = "vanilla"


class LinearConfig(Config):
    """No CSH: one trained linear map into the joint space."""

    kind: Literal["linear"] = "linear"


class MlpConfig(Config):
    """No CSH, but as deep: two trained layers. hidden: width between them."""

    kind: Literal["mlp"] = "mlp"
    hidden: int = Field(default=256, ge=1)


HeadConfig = Annotated[CshConfig | LinearConfig | MlpConfig, Field(discriminator="kind")]


class Head(nn.Module, ABC):
    """Features (B, C, h, w) to dense vectors (B, D, h, w), not normalised, and starting values from CLIP's tokens."""

    @abstractmethod
    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, D, h, w), not normalised."""

    @abstractmethod
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Fit the trained maps to CLIP.

        Args:
            pairs: features (B, C, h, w), CLIP's tokens before the first block (B, 1 + H·W, width) and their grid.
        """


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of a map (B, C, h, w)."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.movedim(1, 3)).movedim(3, 1)


def pool_to(features: Tensor, grid: Grid) -> Tensor:
    """Mean features under every CLIP patch: (B, C, h, w) to (B·H·W, C)."""
    return F.adaptive_avg_pool2d(features, grid).movedim(1, 3).flatten(0, 2)


def set_linear(layer: nn.Conv2d | nn.Linear, weight: Tensor, bias: Tensor) -> None:
    """Give a linear layer or 1x1 convolution its values: weight (D, C), bias (D,)."""
    state = {"weight": weight.reshape(layer.weight.shape), "bias": bias}
    layer.load_state_dict(state)


class ClipSemanticHead(Head):
    """Adapter, CLIP's positions, the last frozen blocks, CLIP's own norm and projection.

    The class token, which those blocks attend to, is a trained linear map of the mean feature: CLIP's own one would
    need CLIP's first blocks at test time.
    """

    def __init__(self, trunk: ClipImageEncoder, *, channels: int, blocks: int | None, attention: Attention) -> None:
        super().__init__()
        self.trunk, self.attention = trunk, attention
        self.start = 0 if blocks is None else trunk.depth - blocks
        if self.start < 0:
            raise ValueError(f"the head wants {blocks} blocks, and this CLIP has {trunk.depth}")
        self.norm = ChannelNorm(channels)
        self.adapter = nn.Conv2d(channels, trunk.width, kernel_size=1)
        self.class_adapter = nn.Linear(channels, trunk.width)

    def tokens(self, features: Tensor) -> Tensor:
        """What enters the first frozen block: (B, C, h, w) to (B, 1 + h·w, width)."""
        features = self.norm(features)
        patches = self.adapter(features).flatten(2).transpose(1, 2)
        first = self.class_adapter(features.mean(dim=(2, 3))).unsqueeze(1)
        return torch.cat([first, patches], dim=1) + self._positions((features.shape[2], features.shape[3]))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, D, h, w), not normalised."""
        grid = (features.shape[2], features.shape[3])
        dense = self.trunk.finish(self.tokens(features), start=self.start, attention=self.attention)
        return to_map(dense[:, 1:], grid)

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Regress CLIP's tokens before the first frozen block on the features under each patch."""
        patches, first = Ridge(), Ridge(penalty=0.1)
        for features, tokens, grid in pairs:
            features = self.norm(features)
            target = self.trunk.blocks(tokens, start=0, stop=self.start) - self._positions(grid)
            patches.add(pool_to(features, grid), target[:, 1:].flatten(0, 1))
            first.add(features.mean(dim=(2, 3)), target[:, 0])
        set_linear(self.adapter, *patches.solve())
        set_linear(self.class_adapter, *first.solve())

    def _positions(self, grid: Grid) -> Tensor:
        return resize_positions(self.trunk.visual.positional_embedding, trained=self.trunk.trained, grid=grid)


class PlainHead(Head):
    """Trained layers from the body's width to the joint space; the last one is linear.

    Args:
        trunk: the CLIP that gives starting values; no part of this head. Its value path is the target.
        layers: widths from the body's channels to the joint dimension, (C, D) or (C, hidden, D).
    """

    def __init__(self, trunk: ClipImageEncoder, *, layers: tuple[int, ...]) -> None:
        super().__init__()
        self._trunk = (trunk,)  # in a tuple: not a submodule
        self.norm = ChannelNorm(layers[0])
        self.hidden = nn.Sequential(*(nn.Sequential(nn.Conv2d(a, b, 1), nn.GELU()) for a, b in pairwise(layers[:-1])))
        self.project = nn.Conv2d(layers[-2], layers[-1], kernel_size=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) to (B, D, h, w), not normalised."""
        projected: Tensor = self.project(self.hidden(self.norm(features)))
        return projected

    @torch.no_grad()
    def start_from(self, pairs: Iterable[tuple[Tensor, Tensor, Grid]]) -> None:
        """Regress CLIP's dense vectors (value path, unit length) on the features under each patch."""
        ridge = Ridge()
        for features, tokens, grid in pairs:
            dense = F.normalize(self._trunk[0].finish(tokens, start=0, attention="value"), dim=-1)
            ridge.add(pool_to(self.hidden(self.norm(features)), grid), dense[:, 1:].flatten(0, 1))
        set_linear(self.project, *ridge.solve())


def build_head(config: CshConfig | LinearConfig | MlpConfig, *, trunk: ClipImageEncoder, channels: int) -> Head:
    """The head of a config."""
    match config:
        case CshConfig():
            return ClipSemanticHead(trunk, channels=channels, blocks=config.blocks, attention=config.attention)
        case LinearConfig():
            return PlainHead(trunk, layers=(channels, trunk.joint))
        case MlpConfig():
            return PlainHead(trunk, layers=(channels, config.hidden, trunk.joint))
