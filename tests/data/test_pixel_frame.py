"""The position of a crop in its image."""

from __future__ import annotations

import numpy as np
import torch

from benchmark.data.base import RawPoints
from benchmark.data.pixel_frame import WHOLE_IMAGE
from benchmark.data.placed_points import add_points
from tests.wrappers.test_sliding_window import make_sample

UV = np.array([[2.0, 3.0], [10.0, 5.0]], dtype=np.float32)


def test_a_whole_image_keeps_its_coordinates() -> None:
    assert WHOLE_IMAGE(UV).tolist() == UV.tolist()


def test_a_crop_begins_at_its_corner() -> None:
    assert WHOLE_IMAGE.crop(top=3, left=2)(UV).tolist() == [[0, 0], [8, 2]]


def test_a_flip_exchanges_left_and_right_of_the_part() -> None:
    flipped = WHOLE_IMAGE.crop(top=0, left=2).flip(10)
    assert flipped(UV).tolist() == [[10, 3], [2, 5]]
    assert (flipped.is_mirrored, flipped.flip(10).is_mirrored) == (True, False)
    assert flipped.flip(10)(UV).tolist() == WHOLE_IMAGE.crop(top=0, left=2)(UV).tolist()


def test_resizing_scales_both_directions_by_themselves() -> None:
    assert WHOLE_IMAGE.crop(top=1, left=0).resize((4, 10), (8, 5))(UV).tolist() == [[1, 4], [5, 8]]


def test_points_outside_of_a_crop_and_hidden_ones_have_no_pixel() -> None:
    raw = RawPoints(np.ones((3, 7), np.float32), np.array([[1, 1], [9, 1], [2, 2]], np.float32), np.arange(3) < 2, UV)  # type: ignore[arg-type]
    sample = make_sample(torch.zeros(3, 4, 4))
    placed = add_points(sample, raw, frame=WHOLE_IMAGE.flip(4), size=(4, 4))
    assert placed["points_valid"].tolist() == [True, False, False]
    assert placed["points"][0].tolist() == [-1, 1, 1, 1, 1, 1, 1]
    assert "points" not in sample
