"""Resizing of maps compared with torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.resizing import resize_maps


def draw_maps(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0)).requires_grad_()


@pytest.mark.parametrize("size", [(64, 64), (3, 40), (8, 5), (9, 9)])
def test_maps_and_gradients_are_those_of_torch(size: tuple[int, int]) -> None:
    maps = draw_maps(2, 3, 8, 9)
    resized, expected = resize_maps(maps, size), F.interpolate(maps, size=size, mode="bilinear")
    torch.testing.assert_close(resized, expected, rtol=0, atol=2e-6)
    (gradient,), (other,) = (torch.autograd.grad(result.square().sum(), maps) for result in (resized, expected))
    torch.testing.assert_close(gradient, other, rtol=1e-5, atol=1e-4)


def test_maps_of_the_size_are_returned_as_they_are() -> None:
    maps = draw_maps(1, 2, 4, 6)
    assert resize_maps(maps, (4, 6)) is maps


def test_autocast_does_not_change_the_type() -> None:
    maps = draw_maps(1, 2, 4, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(resize_maps(maps, (16, 24)), resize_maps(maps.float(), (16, 24)))
        assert resize_maps(maps, (16, 24)).dtype is torch.float32
