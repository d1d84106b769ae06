"""Severed patches depend on their own token, and on masks as the formulas say."""

from __future__ import annotations

from typing import get_args

import pytest
import torch
from torch import Tensor, nn

from methods.blocks.clip.attention_layers import MultiheadLayer
from methods.blocks.deop.config import SeveranceKind
from methods.blocks.deop.severance import make_attention

GRID = (2, 3)


def make_layer() -> MultiheadLayer:
    torch.manual_seed(0)
    return MultiheadLayer(nn.MultiheadAttention(8, 2, batch_first=True))


def attend(kind: SeveranceKind, tokens: Tensor, masks: Tensor) -> Tensor:
    with torch.no_grad():
        return make_attention(kind, masks=masks, grid=GRID, num_prefix=1)(make_layer(), tokens)


def draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", ["mask weight", "value"])
def test_a_patch_depends_on_no_other_token(kind: SeveranceKind) -> None:
    tokens, masks = draw(1, 7, 8), draw(1, 4, *GRID)
    changed = tokens.clone()
    changed[:, [0, 3]] += 1
    moved = (attend(kind, tokens, masks) - attend(kind, changed, masks)).abs().amax(dim=(0, 2)) > 0
    assert moved.nonzero()[:, 0].tolist() == [0, 3]


def test_values_are_weighted_by_the_sum_of_the_masks_and_by_their_number_before_the_patches() -> None:
    tokens, masks = draw(2, 7, 8), draw(2, 4, *GRID)
    bias = attend("value", tokens, masks)[:1, :1] * 0 + make_layer()._layer.out_proj.bias.detach()
    weights = torch.cat([torch.full((2, 1), 4.0), masks.sigmoid().sum(dim=1).flatten(1)], dim=1)
    expected = weights[..., None] * (attend("value", tokens, masks) - bias) + bias
    torch.testing.assert_close(attend("mask weight", tokens, masks), expected)


def test_equal_tokens_stay_equal_under_mask_affinity_because_its_rows_sum_to_one() -> None:
    tokens = draw(1, 1, 8).expand(1, 7, 8)
    mixed = attend("mask affinity", tokens, draw(1, 4, *GRID))
    torch.testing.assert_close(mixed, attend("value", tokens, draw(1, 4, *GRID)))


@pytest.mark.parametrize("kind", get_args(SeveranceKind))
def test_masks_of_any_resolution_are_resized_to_the_grid(kind: SeveranceKind) -> None:
    tokens, masks = draw(1, 7, 8), draw(1, 4, 1, 1)
    torch.testing.assert_close(attend(kind, tokens, masks), attend(kind, tokens, masks.expand(1, 4, 8, 12)))
