"""The point encoder: what it depends on."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.blocks.point_clouds import PointEncoder, PointEncoderConfig, PointFeatures

CONFIG = PointEncoderConfig(channels=8, cell=0.05, levels=3)


def _make_points(count: int, *, seed: int = 0) -> Tensor:
    points = torch.rand(count, 7, generator=torch.Generator().manual_seed(seed))
    points[:, 2] += 1
    return points


def _encode(points: Tensor, image: Tensor, *, config: PointEncoderConfig = CONFIG) -> PointFeatures:
    torch.manual_seed(0)
    return PointEncoder(config, dimension=5)(points, image)


def test_every_point_has_an_embedding() -> None:
    features = _encode(_make_points(40), torch.zeros(40, dtype=torch.long))
    assert (features.output.shape, features.middle.shape) == ((40, 5), (40, 8))


def test_the_order_of_points_does_not_matter() -> None:
    points, order = _make_points(40), torch.randperm(40, generator=torch.Generator().manual_seed(1))
    image = torch.zeros(40, dtype=torch.long)
    assert torch.allclose(_encode(points, image).output[order], _encode(points[order], image).output, atol=1e-5)


def test_points_of_other_images_have_no_influence() -> None:
    points, image = _make_points(40), torch.zeros(40, dtype=torch.long)
    both = _encode(torch.cat([points, _make_points(30, seed=2)]), torch.tensor([0] * 40 + [1] * 30))
    assert torch.allclose(_encode(points, image).output, both.output[:40], atol=1e-5)


def test_points_of_the_surroundings_have_influence() -> None:
    points, image = _make_points(40), torch.zeros(40, dtype=torch.long)
    assert not torch.allclose(_encode(points, image).output[:10], _encode(points[:20], image[:20]).output[:10])


def test_colors_can_be_left_out() -> None:
    points, image, plain = _make_points(9), torch.zeros(9, dtype=torch.long), CONFIG.model_copy(update={"color": False})
    gray = torch.cat([points[:, :4], torch.zeros(9, 3)], dim=1)
    assert torch.equal(_encode(points, image, config=plain).output, _encode(gray, image, config=plain).output)
    assert not torch.equal(_encode(points, image).output, _encode(gray, image).output)


def test_no_point_at_all_is_no_error() -> None:
    assert _encode(torch.zeros(0, 7), torch.zeros(0, dtype=torch.long)).output.shape == (0, 5)
