from __future__ import annotations

import torch

from methods.blocks.dense_clip.similarity import compute_similarities, weigh_above_mean


def test_positions_below_the_shifted_mean_have_no_weight() -> None:
    similarities = torch.tensor([[[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 1.0]]])  # mean 4.8 / 9
    weights = weigh_above_mean(similarities, shift=1.5, scale=10.0)
    ratio = torch.tensor(1.0).exp()  # of e^(10·1.0) and e^(10·0.9)
    expected = torch.tensor([[ratio, 1, 0], [1, ratio, 0], [0, 0, 1 + ratio]]) / (1 + ratio)
    torch.testing.assert_close(weights[0], expected)


def test_positions_of_one_color_attend_to_themselves_if_the_shifted_mean_is_above_one() -> None:
    similarities = compute_similarities(torch.ones(1, 4, 3))
    torch.testing.assert_close(weigh_above_mean(similarities, shift=1.5, scale=3.0), torch.eye(4)[None])
