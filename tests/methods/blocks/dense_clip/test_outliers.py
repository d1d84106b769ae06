"""Tokens unlike all others, and their replacement by their neighbors."""

from __future__ import annotations

import torch

from methods.blocks.dense_clip.outliers import find_outliers, replace_by_neighbors
from methods.blocks.dense_clip.similarity import aggregate

GRID = (5, 8)
TOKENS = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))


def test_tokens_far_from_all_others_are_found() -> None:
    tokens = TOKENS.clone()
    tokens[[7, 20]] *= 30
    assert torch.nonzero(find_outliers(tokens, neighbors=30, share=0.05)).flatten().tolist() == [7, 20]


def test_an_outlier_becomes_the_mean_of_its_neighbors_that_are_none() -> None:
    outliers = torch.zeros(1, 40, dtype=torch.bool)
    outliers[0, [0, 1]] = True  # the corner and its right neighbor
    replaced = replace_by_neighbors(TOKENS[None], outliers, grid=GRID)[0]
    torch.testing.assert_close(replaced[0], TOKENS[[8, 9]].mean(dim=0))
    torch.testing.assert_close(replaced[1], TOKENS[[2, 8, 9, 10]].mean(dim=0))
    assert torch.equal(replaced[2:], TOKENS[2:])


def test_an_outlier_among_outliers_stays() -> None:
    outliers = torch.ones(1, 40, dtype=torch.bool)
    assert torch.equal(replace_by_neighbors(TOKENS[None], outliers, grid=GRID)[0], TOKENS)


def test_tokens_are_averaged_over_positions_above_the_threshold() -> None:
    similarities = torch.tensor([[[1.0, 0.5, 0.1], [0.5, 1.0, 0.1], [0.1, 0.1, 1.0]]])
    averaged = aggregate(torch.eye(3)[None], similarities, threshold=0.4)[0]
    expected = torch.tensor([[2 / 3, 1 / 3, 0], [1 / 3, 2 / 3, 0], [0, 0, 1]])
    torch.testing.assert_close(averaged, expected, rtol=0, atol=1e-5)
