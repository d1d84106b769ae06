"""A point encoder in plain PyTorch: a small U-Net on a hierarchy of cells, with gather and scatter only.

Down: a shared layer on each element and its position in its cell, the mean over the cell (as in PointNet++, arXiv
1706.02413, with a mean for its maximum), and a convolution over the 27 cells around each cell. Up: the features of the
cell of each element, next to its own. No sparse-convolution library is needed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from methods.blocks.point_clouds.cells import SIDE_STEPS, CellLevel, build_cells, compute_polar_positions

INPUTS = 6
"""Numbers of a point besides its position in its cell: elevation, log distance, reflectance, red, green, blue."""


class PointEncoderConfig(Config):
    """Sizes of a point encoder.

    Attributes:
        channels: Length C of the features of points and cells.
        cell: Side of the smallest cells as a share of their distance, 0.01 for 10 cm at 10 m.
        levels: Number of levels of cells, each twice as large as the one below.
        color: Whether the colors of points are used.
    """

    channels: int = Field(default=96, ge=1)
    cell: float = Field(default=0.01, gt=0)
    levels: int = Field(default=5, ge=1)
    color: bool = True

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the name of the encoder, which has no pretrained weights."""
        return ("point encoder",)


class PointFeatures(NamedTuple):
    """Features of N points.

    Attributes:
        output: (N, D) embeddings, not normalized.
        middle: (N, C) features of the largest cell of each point, which know its surroundings.
    """

    output: Tensor
    middle: Tensor


class PointEncoder(nn.Module):
    """Map from points to embeddings.

    Args:
        config: Sizes.
        dimension: Length D of an embedding.
    """

    def __init__(self, config: PointEncoderConfig, *, dimension: int) -> None:
        super().__init__()
        self.cell, self.levels, self.channels = config.cell, config.levels, config.channels
        self.has_color = config.color
        self.embed = nn.Linear(INPUTS, config.channels)
        self.down = nn.ModuleList(DownBlock(config.channels) for _ in range(config.levels))
        self.up = nn.ModuleList(UpBlock(config.channels) for _ in range(config.levels))
        self.project = nn.Sequential(nn.LayerNorm(config.channels), nn.Linear(config.channels, dimension))

    def forward(self, points: Tensor, image: Tensor) -> PointFeatures:
        """Encode points.

        Args:
            points: (N, 7) x, y, z in meters, reflectance and color, as in `Sample`.
            image: (N,) long, index of the image of each point; images do not influence one another.
        """
        positions = compute_polar_positions(points[:, :3])
        levels = list(build_cells(positions, image, side=self.cell, levels=self.levels))
        color = points[:, 4:] if self.has_color else torch.zeros_like(points[:, 4:])
        features = self.embed(torch.cat([positions[:, 1:], points[:, 3:4], color], dim=1))
        skips = list[Tensor]()
        for level, down in zip(levels, self.down, strict=True):
            skips.append(features)
            features = down(features, level)
        middle = features
        for level in reversed(levels):
            middle = middle.index_select(0, level.parent)
        for level, up in zip(reversed(levels), self.up, strict=True):
            features = up(features, skips.pop(), level)
        return PointFeatures(self.project(features), middle)


class DownBlock(nn.Module):
    """Step from elements (E, C) to the cells (M, C) that hold them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.enter = nn.Linear(channels + 3, channels)
        self.norm = nn.LayerNorm(channels)
        self.convolve = nn.Linear(len(SIDE_STEPS) * channels, channels)

    def forward(self, features: Tensor, level: CellLevel) -> Tensor:
        """Pool elements into cells, and mix each cell with those around it."""
        cells = level.average(F.gelu(self.enter(torch.cat([features, level.offset], dim=1))))
        normalized = self.norm(cells)
        padded = torch.cat([normalized, normalized.new_zeros(1, normalized.shape[1])])  # the last one is an empty cell
        around = (
            padded.index_select(0, level.neighbors.flatten()).unflatten(0, level.neighbors.shape).flatten(1)
        )  # (M, 27·C)
        mixed: Tensor = cells + F.gelu(self.convolve(around))
        return mixed


class UpBlock(nn.Module):
    """Step from cells (M, C) back to the elements (E, C) that they hold."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mix = nn.Sequential(nn.LayerNorm(2 * channels), nn.Linear(2 * channels, channels), nn.GELU())
        self.leave = nn.Linear(channels, channels)

    def forward(self, cells: Tensor, features: Tensor, level: CellLevel) -> Tensor:
        """Add what the cell of each element knows to the features of the element."""
        joined = torch.cat([features, cells.index_select(0, level.parent)], dim=1)
        mixed: Tensor = features + self.leave(self.mix(joined))
        return mixed
