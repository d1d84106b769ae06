"""Cells of points: who shares one, who is next to whom, and that images never meet."""

from __future__ import annotations

import math

import pytest
import torch

from methods.blocks.point_clouds.cells import SIDE_STEPS, build_cells, compute_polar_positions

POSITIONS = torch.tensor([[0.1, 0.1, 0.1], [0.9, 0.2, 0.3], [1.5, 0.5, 0.5], [-0.5, 0.5, 0.5], [9.5, 0.5, 0.5]])
FIRST = torch.zeros(5, dtype=torch.long)


def test_points_of_one_cell_share_it() -> None:
    (level,) = build_cells(POSITIONS, FIRST, side=1.0, levels=1)
    parent = level.parent.tolist()
    assert parent[0] == parent[1]
    assert len(set(parent)) == 4
    assert torch.allclose(level.offset[0], torch.tensor([-0.8, -0.8, -0.8]))


def test_neighbors_are_the_cells_around() -> None:
    (level,) = build_cells(POSITIONS, FIRST, side=1.0, levels=1)
    home, right, left, far = (int(level.parent[index]) for index in (0, 2, 3, 4))
    around = dict(zip(SIDE_STEPS, level.neighbors[home].tolist(), strict=True))
    assert (around[0, 0, 0], around[1, 0, 0], around[-1, 0, 0]) == (home, right, left)
    assert far not in around.values()
    assert list(around.values()).count(4) == 24  # 4 cells, so 4 stands for an empty one


def test_images_share_no_cell_and_no_neighbor() -> None:
    positions, image = torch.cat([POSITIONS, POSITIONS]), torch.arange(2).repeat_interleave(5)
    (level,) = build_cells(positions, image, side=1.0, levels=1)
    first, second = set(level.parent[:5].tolist()), set(level.parent[5:].tolist())
    assert not first & second
    assert not set(level.neighbors[list(first)].flatten().tolist()) & second


def test_each_level_has_cells_twice_as_large() -> None:
    fine, coarse = build_cells(POSITIONS, FIRST, side=1.0, levels=2)
    (direct,) = build_cells(POSITIONS, FIRST, side=2.0, levels=1)
    composed = coarse.parent[fine.parent]
    same = composed[:, None] == composed
    assert torch.equal(same, direct.parent[:, None] == direct.parent)


def test_an_average_is_that_of_the_points_in_a_cell() -> None:
    (level,) = build_cells(POSITIONS, FIRST, side=1.0, levels=1)
    means = level.average(torch.tensor([[1.0], [3.0], [5.0], [7.0], [9.0]]))
    assert means[level.parent].flatten().tolist() == [2, 2, 5, 7, 9]


def test_many_points_are_averaged_exactly_in_low_precision() -> None:
    (level,) = build_cells(torch.zeros(1000, 3), torch.zeros(1000, dtype=torch.long), side=1.0, levels=1)
    values = torch.ones(1000, 1, dtype=torch.bfloat16)
    values[500:] = 3
    assert level.average(values).tolist() == [[2]]


def test_a_point_straight_ahead_has_no_angles() -> None:
    positions = compute_polar_positions(torch.tensor([[0.0, 0.0, 10.0], [10.0, 0.0, 10.0], [0.0, -10.0, 10.0]]))
    quarter, far = math.pi / 4, math.log(10 * 2**0.5)
    assert positions.flatten().tolist() == pytest.approx([0, 0, math.log(10), quarter, 0, far, 0, quarter, far])


def test_no_point_makes_no_cell() -> None:
    (level,) = build_cells(torch.zeros(0, 3), torch.zeros(0, dtype=torch.long), side=1.0, levels=1)
    assert (len(level.parent), level.neighbors.shape) == (0, (0, 27))
