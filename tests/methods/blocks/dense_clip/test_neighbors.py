"""NACLIP's Gaussian of the distance of patches, and what it leaves of the attention from keys to keys."""

from __future__ import annotations

import pytest
import torch

from methods.blocks.clip.attention import ATTENTIONS, compute_weights, merge_heads, project_heads
from methods.blocks.dense_clip import neighbors
from methods.blocks.dense_clip.neighbors import compute_gaussian, make_neighbor_attention, pad_prefix
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder

LAYER = build_tiny_encoder().list_blocks()[-1].attention
TOKENS = torch.randn(2, 1 + 6, 64, generator=torch.Generator().manual_seed(0))


def test_the_gaussian_is_that_of_a_hand_calculation() -> None:
    gaussian = compute_gaussian((1, 3), sigma=1.0)
    near, far = 0.60653066, 0.13533528  # exp(-1/2), exp(-4/2)
    torch.testing.assert_close(gaussian, torch.tensor([[1, near, far], [near, 1, near], [far, near, 1]]))


def test_tokens_before_the_patches_have_no_bias() -> None:
    padded = torch.tensor([[0, 0, 0], [0, 1, 2], [0, 3, 4]])
    torch.testing.assert_close(pad_prefix(torch.tensor([[1, 2], [3, 4]]), 3), padded)


def test_distances_are_euclidean_in_rows_and_columns() -> None:
    gaussian = compute_gaussian((3, 4), sigma=2.0).view(3, 4, 3, 4)
    torch.testing.assert_close(float(gaussian[0, 1, 2, 3]), float(torch.tensor(-(4 + 4) / 8.0).exp()))


def test_without_the_gaussian_the_attention_is_that_from_keys_to_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbors, "compute_gaussian", lambda grid, *, sigma: torch.zeros(6, 6))
    actual = make_neighbor_attention((2, 3), sigma=5.0)(LAYER, TOKENS)
    torch.testing.assert_close(actual, ATTENTIONS["key-key"](LAYER, TOKENS), rtol=0, atol=1e-6)


def test_an_endless_gaussian_only_favors_patches_over_the_class_token() -> None:
    actual = make_neighbor_attention((2, 3), sigma=1e6)(LAYER, TOKENS)
    _, key, value = project_heads(LAYER, TOKENS)
    weights = compute_weights(key, key)
    weights[:, :, 1:, 1:] *= torch.e  # exp(1) of all patches; the class token has exp(0)
    expected = merge_heads(LAYER, weights / weights.sum(dim=3, keepdim=True) @ value)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-5)
