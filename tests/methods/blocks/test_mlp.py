"""MLP with any number of layers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from methods.blocks import Mlp


def test_an_mlp_has_relus_between_its_layers_alone() -> None:
    mlp = Mlp(1, 1, 1, layers=2)
    for parameter, value in zip(mlp.parameters(), (1.0, -2.0, -3.0, 0.0), strict=True):
        nn.init.constant_(parameter, value)
    assert mlp(torch.tensor([[1.0], [3.0]])).tolist() == [[0.0], [-3.0]]


@pytest.mark.parametrize(("layers", "widths"), [(1, [(2, 5)]), (2, [(2, 3), (3, 5)]), (3, [(2, 3), (3, 3), (3, 5)])])
def test_all_layers_but_the_last_have_the_hidden_width(layers: int, widths: list[tuple[int, int]]) -> None:
    mlp = Mlp(2, 3, 5, layers=layers)
    assert [tuple(value.T.shape) for value in mlp.parameters() if value.ndim == 2] == widths
    assert mlp(torch.zeros(4, 6, 2)).shape == (4, 6, 5)
