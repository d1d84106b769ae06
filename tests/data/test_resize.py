"""Sizes and resizing, compared with Pillow and with calculations by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmark.core.protocol import RatioRange, ShortSides
from benchmark.core.seeding import torch_generator
from benchmark.data.resize import draw_size, fit_size, resize_image, resize_labels


@pytest.mark.parametrize(
    ("size", "longest", "expected"),
    [
        ((375, 500), 0, (512, 683)),
        ((500, 375), 2048, (683, 512)),
        ((100, 1000), 2048, (205, 2048)),
        ((100, 1000), 0, (512, 5120)),
    ],
)
def test_the_short_side_is_exact_unless_the_long_side_is_bounded(
    size: tuple[int, int], longest: int, expected: tuple[int, int]
) -> None:
    assert fit_size(size, short_side=512, longest=longest) == expected


def test_a_ratio_scales_both_bounds_and_covers_its_range() -> None:
    rule = RatioRange(short_side=100, long_side=200, low=0.5, high=2.0)
    sizes = [draw_size((100, 400), rule, torch_generator("ratio", draw)) for draw in range(300)]
    assert min(sizes)[1] in range(100, 110) and max(sizes)[1] in range(380, 401)
    assert all(wide in range(4 * tall - 2, 4 * tall + 3) for tall, wide in sizes)


def test_every_short_side_of_a_list_is_drawn() -> None:
    rule = ShortSides(sides=(8, 16, 32))
    drawn = {draw_size((100, 100), rule, torch_generator("sides", draw)) for draw in range(60)}
    assert drawn == {(8, 8), (16, 16), (32, 32)}


@given(height=st.integers(2, 40), width=st.integers(2, 40), tall=st.integers(2, 40), wide=st.integers(2, 40))
def test_antialiased_resizing_matches_pillow(height: int, width: int, tall: int, wide: int) -> None:
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    ours = resize_image(torch.from_numpy(pixels).permute(2, 0, 1), (tall, wide), antialias=True)
    theirs = np.asarray(Image.fromarray(pixels).resize((wide, tall), Image.Resampling.BILINEAR))
    assert np.abs(ours.permute(1, 2, 0).numpy().astype(int) - theirs.astype(int)).max() <= 1


@pytest.mark.parametrize(("old", "new"), [(7, 3), (5, 16), (10, 10), (375, 512)])
def test_resizing_without_antialias_matches_opencv(old: int, new: int) -> None:
    line = np.random.default_rng(old).uniform(0, 255, old)
    ours = resize_image(torch.tensor(line, dtype=torch.float64).expand(3, 2, old), (2, new), antialias=False)
    at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)  # OpenCV's INTER_LINEAR, edges repeated
    assert np.allclose(ours[0, 0].numpy(), np.interp(at, np.arange(old), line), atol=1e-6)


def test_resized_labels_are_those_under_each_pixel_center() -> None:
    labels = torch.tensor([[0, 1, 2, 3]])
    assert resize_labels(labels, (1, 2)).tolist() == [[1, 3]]
    assert resize_labels(labels, (2, 8)).tolist() == [[0, 0, 1, 1, 2, 2, 3, 3]] * 2
    assert resize_labels(labels, (1, 3)).tolist() == [[0, 2, 3]]


def test_inputs_of_the_right_size_are_returned_unchanged() -> None:
    image, labels = torch.zeros(3, 4, 5, dtype=torch.uint8), torch.zeros(4, 5, dtype=torch.int32)
    assert resize_image(image, (4, 5), antialias=True) is image and resize_labels(labels, (4, 5)) is labels
