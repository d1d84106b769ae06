from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.blocks.refinement.permutohedral import build_lattice, filter_points


def draw(count: int, dimensions: int) -> Tensor:
    """Return features (count, dimensions) over four standard deviations."""
    return 4 * torch.rand(count, dimensions, generator=torch.Generator().manual_seed(dimensions))


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_weights_place_every_point_among_its_corners(dimensions: int) -> None:
    lattice = build_lattice(draw(300, dimensions))
    assert float(lattice.slice.entries.min()) > -1e-6
    torch.testing.assert_close(lattice.slice @ torch.ones(len(lattice.splat.starts), 1), torch.ones(300, 1))


def test_points_are_spread_to_the_corners_that_they_collect_from() -> None:
    lattice = build_lattice(draw(50, 2))
    collect = lattice.slice @ torch.eye(len(lattice.splat.starts))
    assert torch.equal(lattice.splat @ torch.eye(50), collect.T)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_means_are_near_those_of_the_exact_gaussian(dimensions: int) -> None:
    features = draw(800, dimensions)
    values = torch.sin(features[:, :1])
    weights = torch.exp(-torch.cdist(features, features).square() / 2)
    expected = weights @ values / weights.sum(dim=1, keepdim=True)
    lattice = build_lattice(features)
    actual = filter_points(values, lattice) / filter_points(torch.ones(800, 1), lattice)
    assert float((actual - expected).square().mean().sqrt()) < 0.03
    assert float((expected - values.mean()).square().mean().sqrt()) > 0.2  # a constant is far from it


def test_neighbors_are_mutual() -> None:
    lattice = build_lattice(draw(200, 3))
    identity = torch.eye(len(lattice.splat.starts))
    for blur in (blur @ identity for blur in lattice.blurs):
        assert torch.equal(blur, blur.T) and torch.equal(blur.diagonal(), identity.diagonal())
        assert float((blur == 0.5).sum(dim=1).max()) == 2


def test_points_far_apart_do_not_mix() -> None:
    lattice = build_lattice(torch.tensor([[0.0, 0.0], [50.0, 0.0]]))
    assert filter_points(torch.tensor([[1.0], [0.0]]), lattice)[1].item() == 0


def test_features_that_are_spread_too_widely_are_refused() -> None:
    with pytest.raises(ValueError, match="use wider Gaussians"):
        build_lattice(1e6 * draw(10, 5))
