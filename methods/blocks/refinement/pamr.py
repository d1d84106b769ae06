"""Pixel-adaptive mask refinement: scores are averaged over neighbors of a similar color (arXiv 2005.08104)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from benchmark.core.method import Config

EPS, SPREAD = 1e-8, 0.1
"""Terms of the divisor of color differences: EPS + SPREAD · standard deviation of the neighborhood."""
NEIGHBORS = tuple((row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if (row, column) != (0, 0))
"""Rows and columns of the eight neighbors from a pixel, at a distance of 1."""
PART = 2**19
"""Scores that are refined at once: 2 MB in float32, which stay in the caches of processors for all rounds."""


class PamrConfig(Config):
    """Rounds and neighborhoods.

    Attributes:
        rounds: Number of averagings.
        dilations: Distances of the eight neighbors in pixels.
    """

    rounds: int = Field(default=10, ge=1)
    dilations: tuple[Annotated[int, Field(ge=1, le=1024)], ...] = Field(default=(8, 16), min_length=1)


def refine_by_color(scores: Tensor, images: Tensor, *, rounds: int, dilations: Sequence[int]) -> Tensor:
    """Average scores over neighbors, each weighted by its similarity in color.

    Args:
        scores: (B, K, H, W).
        images: (B, C, H, W) normalized.
        rounds: Number of averagings.
        dilations: Distances of the eight neighbors in pixels.

    Returns:
        (B, K, H, W).
    """
    weights = compute_color_weights(images, dilations=dilations)
    size = max(1, PART // scores[:, :1].numel())
    parts = []
    for part in scores.split(size, dim=1):
        for _ in range(rounds):
            part = _average(part, weights, dilations=dilations)
        parts.append(part)
    return torch.cat(parts, dim=1)


def _average(maps: Tensor, weights: Tensor, *, dilations: Sequence[int]) -> Tensor:
    """Average maps (B, C, H, W) over the N neighbors of every pixel with weights (B, N, H, W): (B, C, H, W)."""
    mean = torch.zeros_like(maps)
    for index, neighbor in enumerate(iterate_neighbors(maps, dilations=dilations)):
        mean.addcmul_(neighbor, weights[:, index : index + 1].to(maps))
    return mean


def compute_color_weights(images: Tensor, *, dilations: Sequence[int]) -> Tensor:
    """Compute the weights of the neighbors of every pixel.

    Args:
        images: (B, C, H, W).
        dilations: Distances of the eight neighbors in pixels.

    Returns:
        (B, N, H, W) for the N neighbors, their sum is 1.
    """
    neighbors = torch.stack(list(iterate_neighbors(images, dilations=dilations)), dim=2)  # (B, C, N, H, W)
    center = images[:, :, None]
    deviation = torch.cat([neighbors, center.expand(-1, -1, len(dilations), -1, -1)], dim=2).std(dim=2, keepdim=True)
    differences = (neighbors - center).abs() / (EPS + SPREAD * deviation)
    return (-differences).mean(dim=1).softmax(dim=1)


def iterate_neighbors(maps: Tensor, *, dilations: Sequence[int]) -> Iterator[Tensor]:
    """Yield the eight neighbors at every distance in row-major order; beyond the border, the border is repeated.

    Args:
        maps: (B, C, H, W).
        dilations: Distances in pixels.

    Yields:
        (B, C, H, W), a view.
    """
    height, width = maps.shape[2:]
    margin = max(dilations)
    padded = F.pad(maps, [margin] * 4, mode="replicate")
    for distance in dilations:
        for row, column in NEIGHBORS:
            top, left = margin + row * distance, margin + column * distance
            yield padded[:, :, top : top + height, left : left + width]
