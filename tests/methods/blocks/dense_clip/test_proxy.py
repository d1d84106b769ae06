"""Weights from the similarities of another model's features."""

from __future__ import annotations

import torch

from methods.blocks.clip.attention import ATTENTIONS
from methods.blocks.dense_clip.proxy import compute_proxy_weights, make_proxy_attention
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder

LAYER = build_tiny_encoder().list_blocks()[-1].attention
TOKENS = torch.randn(2, 1 + 6, 64, generator=torch.Generator().manual_seed(0))


def test_weights_are_those_of_a_hand_calculation() -> None:
    features = torch.tensor([[2.0, 0.8, -0.6], [0.0, 0.6, 0.8]]).view(1, 2, 1, 3)  # lengths 2, 1 and 1
    weights = compute_proxy_weights(features, shift=1.2, scale=3.0)[0]
    # cosines 1, 0.8, -0.6 and 0, mean 3.4/9: what is above 0.4533 is 1 and 0.8, three times their difference is 0.6
    near = 1 / (1 + 2.718281828**0.6)
    expected = [[1 - near, near, 0], [near, 1 - near, 0], [0, 0, 1]]
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float32))


def test_the_mean_is_that_of_each_image() -> None:
    features = torch.randn(2, 8, 3, 4, generator=torch.Generator().manual_seed(0))
    together = compute_proxy_weights(features, shift=1.2, scale=3.0)
    torch.testing.assert_close(together[1:], compute_proxy_weights(features[1:], shift=1.2, scale=3.0))


def test_patches_that_resemble_themselves_alone_keep_their_own_value() -> None:
    attend = make_proxy_attention(torch.eye(6).expand(2, -1, -1), grid=(2, 3), proxy_grid=(2, 3))
    expected = ATTENTIONS["value"](LAYER, TOKENS)[:, 1:]
    torch.testing.assert_close(attend(LAYER, TOKENS), expected, rtol=0, atol=1e-6)


def test_results_are_on_the_grid_of_the_other_model() -> None:
    attend = make_proxy_attention(torch.eye(24).expand(2, -1, -1), grid=(2, 3), proxy_grid=(4, 6))
    assert attend(LAYER, TOKENS).shape == (2, 24, 64)
