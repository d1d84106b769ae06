"""Averaging of scores over neighbors of a similar color."""

from __future__ import annotations

import pytest
import torch

from methods.blocks.refinement import pamr
from methods.blocks.refinement.pamr import compute_color_weights, iterate_neighbors, refine_by_color

GENERATOR = torch.Generator().manual_seed(0)
IMAGES, SCORES = torch.randn(2, 3, 12, 10, generator=GENERATOR), torch.rand(2, 5, 12, 10, generator=GENERATOR)


def test_neighbors_are_in_row_major_order_and_the_border_is_repeated() -> None:
    neighbors = list(iterate_neighbors(torch.arange(12.0).view(1, 1, 3, 4), dilations=(2,)))
    assert [int(neighbor[0, 0, 1, 1]) for neighbor in neighbors] == [0, 1, 3, 4, 7, 8, 9, 11]


def test_weights_sum_to_one() -> None:
    weights = compute_color_weights(IMAGES, dilations=(1, 3))
    assert weights.shape == (2, 16, 12, 10)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2, 12, 10))


def test_without_colors_all_neighbors_weigh_the_same() -> None:
    refined = refine_by_color(SCORES, torch.zeros(2, 3, 12, 10), rounds=1, dilations=(2,))
    torch.testing.assert_close(
        refined[:, :, 4, 5], SCORES[:, :, 2:7:2, 3:8:2].sum(dim=(2, 3)).sub(SCORES[:, :, 4, 5]) / 8
    )


def test_scores_do_not_spread_across_an_edge_between_colors() -> None:
    images = torch.zeros(1, 3, 8, 16)
    images[..., 8:] = 1
    scores = (images[:, :1] == 0).float()
    refined = refine_by_color(scores, images, rounds=10, dilations=(1, 2))
    assert refined[..., :8].min() > 0.85 and refined[..., 8:].max() < 0.15


def test_classes_refined_in_parts_are_those_refined_together(monkeypatch: pytest.MonkeyPatch) -> None:
    together = refine_by_color(SCORES, IMAGES, rounds=3, dilations=(1, 2))
    monkeypatch.setattr(pamr, "PART", 2 * SCORES[:, :1].numel())
    assert torch.equal(refine_by_color(SCORES, IMAGES, rounds=3, dilations=(1, 2)), together)
