from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from methods.blocks.refinement import DenseCrfConfig, refine_by_dense_crf

SIDE = 16


def draw_halves() -> Tensor:
    """Return an image (3, SIDE, SIDE) whose left half is black and whose right half is white."""
    image = torch.zeros(3, SIDE, SIDE)
    image[:, :, SIDE // 2 :] = 255
    return image


def refine(probabilities: Tensor, **fields: Any) -> Tensor:
    return refine_by_dense_crf(probabilities, draw_halves(), config=DenseCrfConfig(**fields))


def test_result_is_a_distribution_of_every_pixel() -> None:
    refined = refine(torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))
    torch.testing.assert_close(refined.sum(dim=0), torch.ones(SIDE, SIDE))


def test_without_kernels_the_unary_probabilities_stay() -> None:
    first = torch.rand(SIDE, SIDE, generator=torch.Generator().manual_seed(0)).clamp(0.1, 0.9)
    probabilities = torch.stack([first, 1 - first])
    torch.testing.assert_close(refine(probabilities, smoothness=0, appearance=0), probabilities)


def test_labels_follow_the_border_of_colors() -> None:
    left = torch.full((SIDE, SIDE), 0.3)
    left[:, : SIDE // 2 + 3] = 0.7  # three columns too wide
    labels = refine(torch.stack([left, 1 - left])).argmax(dim=0)
    assert torch.equal(labels, (draw_halves()[0] > 0).long())


def test_pixels_of_other_labels_are_removed() -> None:
    first = torch.full((SIDE, SIDE), 0.8)
    first[5, 5] = 0.3
    assert not refine(torch.stack([first, 1 - first])).argmax(dim=0).any()


def test_mean_field_is_that_of_exact_kernels() -> None:
    generator = torch.Generator().manual_seed(0)
    image = 255 * torch.rand(3, SIDE, SIDE, generator=generator)
    probabilities = torch.rand(2, SIDE, SIDE, generator=generator).clamp(0.1)
    config = DenseCrfConfig(rounds=3, smoothness=1, smoothness_pixels=1.5, appearance=0)
    actual = refine_by_dense_crf(probabilities, image, config=config)
    expected = _compute_exactly(probabilities, rounds=3, pixels=1.5)
    change = expected - probabilities / probabilities.sum(dim=0)
    assert float((actual - expected).norm() / change.norm()) < 0.15


def _compute_exactly(probabilities: Tensor, *, rounds: int, pixels: float) -> Tensor:
    """Compute the mean field of a Gaussian of the distance from all pairs of pixels."""
    height, width = probabilities.shape[1:]
    positions = torch.cartesian_prod(torch.arange(height), torch.arange(width)).float() / pixels
    kernel = torch.exp(-torch.cdist(positions, positions).square() / 2)
    norm = kernel.sum(dim=1, keepdim=True).rsqrt()
    unary = probabilities.flatten(1).T.log()
    marginals = unary.softmax(dim=1)
    for _ in range(rounds):
        marginals = (unary + norm * (kernel @ (norm * marginals))).softmax(dim=1)
    return marginals.T.view_as(probabilities)
