"""Score maps from scores of points."""

from __future__ import annotations

import torch

from methods.blocks.point_clouds import rasterize

SCORES = torch.tensor([[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]])


def test_a_pixel_without_a_point_has_the_scores_of_the_nearest_one() -> None:
    uv = torch.tensor([[0.5, 0.5], [5.5, 0.5]])
    maps = rasterize(SCORES[:2], uv, torch.ones(2), size=(2, 6))
    assert maps[0].tolist() == [[1, 1, 1, 2, 2, 2]] * 2
    assert torch.equal(maps[1], 10 * maps[0])


def test_of_several_points_in_a_pixel_the_nearest_to_the_camera_counts() -> None:
    for depth in ([5.0, 4.0, 6.0], [4.0, 3.0, 9.0]):
        assert rasterize(SCORES, torch.full((3, 2), 0.5), torch.tensor(depth), size=(1, 1)).flatten().tolist() == [
            2,
            20,
        ]


def test_without_points_all_scores_are_zero() -> None:
    assert rasterize(SCORES[:0], torch.zeros(0, 2), torch.zeros(0), size=(2, 3)).tolist() == [[[0] * 3] * 2] * 2
