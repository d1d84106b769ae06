"""Fully connected CRF: labels agree if pixels are near and of a similar color (Krähenbühl and Koltun, NeurIPS 2011).

Ours, in PyTorch, because no library is kept: the last release of `pydensecrf`, which the papers use, is of 2018;
`pydensecrf2` was released once more in 2024, and `simplecrf` last in 2021. As in `pydensecrf`, the mean field is
computed on the permutohedral lattice, kernels are normalized symmetrically, and labels are compatible as in the Potts
model. Outputs were compared with sums over all pairs of pixels, not with that library.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from benchmark.core.method import Config
from methods.blocks.refinement.permutohedral import Lattice, build_lattice, filter_points

MIN_PROBABILITY = 1e-5
"""Smallest probability before the logarithm is taken."""
EPS = 1e-20
"""Added to sums of weights before the division by their root."""


class DenseCrfConfig(Config):
    """Rounds and kernels; by default those of CLIP-ES (arXiv 2212.09506).

    Attributes:
        rounds: Number of mean-field updates.
        smoothness: Weight of the kernel of the distance alone.
        smoothness_pixels: Standard deviation of that kernel in pixels.
        appearance: Weight of the kernel of distance and color.
        appearance_pixels: Standard deviation of that kernel in pixels.
        appearance_colors: Standard deviation of that kernel in levels of color (0-255).
    """

    rounds: int = Field(default=10, ge=1)
    smoothness: float = Field(default=3.0, ge=0)
    smoothness_pixels: float = Field(default=1.0, gt=0)
    appearance: float = Field(default=4.0, ge=0)
    appearance_pixels: float = Field(default=67.0, gt=0)
    appearance_colors: float = Field(default=3.0, gt=0)


class _Kernel(NamedTuple):
    """A symmetrically normalized Gaussian kernel.

    Attributes:
        lattice: Lattice of the N pixels.
        norm: (N, 1) factors before and after the filter.
        weight: Weight in the mean field.
    """

    lattice: Lattice
    norm: Tensor
    weight: float

    def __call__(self, probabilities: Tensor) -> Tensor:
        """Return the weighted agreement (N, K) of all pixels with probabilities (N, K)."""
        return self.weight * self.norm * filter_points(self.norm * probabilities, self.lattice)


def refine_by_dense_crf(probabilities: Tensor, image: Tensor, *, config: DenseCrfConfig) -> Tensor:
    """Compute the mean field of a fully connected CRF.

    Args:
        probabilities: (K, H, W) in 0-1; they need not sum to 1.
        image: (3, H, W) RGB in 0-255.
        config: Rounds and kernels.

    Returns:
        (K, H, W) probabilities that sum to 1.
    """
    height, width = image.shape[1:]
    unary = probabilities.float().flatten(1).T.clamp(MIN_PROBABILITY, 1).log()  # (N, K)
    kernels = _build_kernels(image.float(), config)  # 16 bits cannot number the pixels of a row
    marginals = unary.softmax(dim=1)
    for _ in range(config.rounds):
        marginals = (unary + sum(kernel(marginals) for kernel in kernels)).softmax(dim=1)
    refined: Tensor = marginals.T.unflatten(1, (height, width))
    return refined


def _build_kernels(image: Tensor, config: DenseCrfConfig) -> list[_Kernel]:
    height, width = image.shape[1:]
    rows, columns = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    positions = torch.stack([columns, rows]).flatten(1).T.to(image)  # (N, 2)
    colors = image.flatten(1).T / config.appearance_colors  # (N, 3)
    appearance = torch.cat([positions / config.appearance_pixels, colors], dim=1)
    return [
        _build_kernel(positions / config.smoothness_pixels, weight=config.smoothness),
        _build_kernel(appearance, weight=config.appearance),
    ]


def _build_kernel(features: Tensor, *, weight: float) -> _Kernel:
    lattice = build_lattice(features)
    sums = filter_points(features.new_ones(len(features), 1), lattice)
    return _Kernel(lattice, (sums + EPS).rsqrt(), weight)
