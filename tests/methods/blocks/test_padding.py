"""Padding: what is valid, and that functions see nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from benchmark.core.types import Sample
from methods.blocks.images import stack_images
from methods.blocks.padding import (
    count_valid_positions,
    encode_without_padding,
    map_without_padding,
    mark_valid_positions,
)

CPU = torch.device("cpu")


def make_sample(height: int, width: int, *, side: int = 16, padding: float = 0.0) -> Sample:
    """Return a square image with different pixels in its upper left corner and one value elsewhere."""
    image = torch.full((3, side, side), padding)
    image[:, :height, :width] = torch.arange(height * width).reshape(height, width).float()
    size = {"height": side, "width": side, "valid_size": (height, width)}
    return {"image": image, **size, "file_name": "", "image_id": ""}  # type: ignore[typeddict-item]


@pytest.mark.parametrize(("length", "expected"), [(1, 1), (3, 1), (4, 1), (11, 1), (12, 2), (16, 2)])
def test_positions_are_valid_if_their_center_lies_in_the_image(length: int, expected: int) -> None:
    assert count_valid_positions([make_sample(length, 16)], stride=8) == [(expected, 2)]


def test_an_image_without_a_valid_size_is_valid_as_a_whole() -> None:
    sample = make_sample(4, 4)
    del sample["valid_size"]
    assert count_valid_positions([sample], stride=4) == [(4, 4)]


def test_valid_positions_are_the_upper_left_corner() -> None:
    is_valid = mark_valid_positions([(1, 2), (2, 3)], (2, 3), device=CPU)
    assert is_valid is not None and is_valid.tolist() == [[True, True, False, False, False, False], [True] * 6]


def test_without_padding_no_mask_is_needed() -> None:
    assert mark_valid_positions([(2, 3), (2, 3)], (2, 3), device=CPU) is None


def test_maps_are_computed_without_padding_and_its_border_is_repeated() -> None:
    maps = torch.arange(8.0).reshape(2, 1, 2, 2)
    results = map_without_padding(lambda part: part + part.sum(dim=(2, 3), keepdim=True), maps, [(1, 2), (2, 2)])
    assert results[0, 0].tolist() == [[1, 2], [1, 2]]
    assert results[1, 0].tolist() == [[26, 27], [28, 29]]


def test_images_of_one_size_are_encoded_together_and_stay_in_order() -> None:
    batch = [make_sample(4, 8, padding=7.0), make_sample(16, 16), make_sample(4, 8)]
    shapes: list[tuple[int, ...]] = []

    def encode(images: Tensor) -> Tensor:
        shapes.append(tuple(images.shape))
        return images.sum(dim=(1, 2, 3))[:, None]

    sums = [3 * sum(range(32)), 3 * sum(range(256)), 3 * sum(range(32))]
    assert encode_without_padding(encode, batch).flatten().tolist() == sums
    assert shapes == [(2, 3, 4, 8), (1, 3, 16, 16)]


def test_stacked_images_do_not_hold_the_content_of_the_padding() -> None:
    dark, bright = (stack_images([make_sample(4, 8, padding=value)], stride=8) for value in (0.0, 255.0))
    assert torch.equal(dark, bright) and dark.shape == (1, 3, 16, 16)
