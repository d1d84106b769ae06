"""Costs, aggregation over positions and over classes, and views."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from torch import Tensor

from benchmark.core.types import Sample
from methods.blocks.cost_aggregation import AggregatorConfig, CostDecoderConfig, ViewsConfig, join_views, make_views
from methods.blocks.cost_aggregation.classes import ClassAggregation, resize_corners
from methods.blocks.cost_aggregation.costs import compute_costs, gather_classes, scatter_classes, select_classes
from methods.blocks.cost_aggregation.spatial import SpatialAggregation, SwinBlock, join_windows, split_windows


def _randn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_costs_are_cosines() -> None:
    costs = compute_costs(torch.tensor([[[[3.0]], [[4.0]]]]), torch.tensor([[[2.0, 0.0]], [[0.0, -5.0]]]))
    torch.testing.assert_close(costs.flatten(), torch.tensor([0.6, -0.8]))


def test_classes_with_the_highest_cost_are_selected_and_the_others_score_lowest() -> None:
    costs = torch.tensor([[0.1, 0.9, 0.5], [0.7, 0.2, 0.6]]).view(2, 3, 1, 1, 1)
    classes = select_classes(costs, slots=2)
    kept = gather_classes(costs, classes)[:, :, 0]
    scores = scatter_classes(kept, classes, count=3)[:, :, 0, 0]
    torch.testing.assert_close(scores, torch.tensor([[-100, 0.9, 0.5], [0.7, -100, 0.6]]))
    assert select_classes(costs, slots=3) is None


def test_joined_windows_are_the_map() -> None:
    maps = _randn(1, 2, 4, 6, 3)
    windows = split_windows(maps, window=2)
    torch.testing.assert_close(windows[0, 1, 1], maps[0, 1, :2, 2:4].flatten(0, 1))
    assert torch.equal(join_windows(windows, grid=(4, 6), window=2), maps)


def test_shifted_windows_do_not_join_opposite_sides_of_a_map() -> None:
    block = SwinBlock(4, 0, heads=2, grid=(4, 4), window=2, shift=1)
    maps = _randn(1, 1, 4, 4, 4).requires_grad_()
    block(maps, None)[0, 0, 0, 0].sum().backward()
    assert maps.grad is not None
    assert maps.grad[0, 0].abs().sum(dim=-1).nonzero().tolist() == [[0, 0]]  # alone in the corner


def test_positions_of_each_class_are_aggregated_by_themselves_with_the_guidance_of_their_image() -> None:
    spatial = SpatialAggregation(4, 3, heads=2, side=4, window=2)
    maps, guidance = _randn(2, 3, 4, 4, 4), _randn(2, 4, 4, 3)
    together = spatial(maps, guidance)
    torch.testing.assert_close(together[1:, 2:], spatial(maps[1:, 2:], guidance[1:]))
    assert not torch.allclose(together, spatial(maps, guidance.flip(0)))


def test_one_counted_token_fills_up_the_classes_as_many_equal_ones_would() -> None:
    layer = ClassAggregation(4, 2, heads=2, pool=1, slots=5)
    layer.empty.data.normal_(generator=torch.Generator().manual_seed(0))
    maps, guidance = _randn(1, 3, 1, 1, 4), _randn(1, 3, 2)
    filled = torch.cat([maps, layer.empty.view(1, 1, 1, 1, 4).expand(1, 2, 1, 1, 4)], dim=1)
    filled_guidance = torch.cat([guidance, torch.zeros(1, 2, 2)], dim=1)
    torch.testing.assert_close(layer(maps, guidance), layer(filled, filled_guidance)[:, :3])


def test_views_are_averaged_where_they_overlap_and_with_the_whole_image() -> None:
    config = ViewsConfig(side=3, window=2, stride=1)
    views, boxes = make_views(_randn(1, 3, 3, 3), config)
    assert views.shape == (5, 3, 2, 2) and len(boxes) == 4
    logits = torch.tensor([0.0, 1.0, 2.0, 3.0, -1.0]).view(5, 1, 1, 1)
    sample: Sample = {"image": views[0], "height": 3, "width": 3, "file_name": "", "image_id": ""}
    scores = join_views(logits, boxes, sample, config=config)["sem_seg"][0].sigmoid()
    p = logits.sigmoid().flatten()
    torch.testing.assert_close(scores[0, 0], (p[0] + p[4]) / 2)
    torch.testing.assert_close(scores[1, 1], (p[:4].mean() + p[4]) / 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AggregatorConfig(width=10, heads=4), "heads=4 do not divide width=10"),
        (lambda: AggregatorConfig().check_side(30), "windows of 12 do not divide a grid of 30"),
        (lambda: CostDecoderConfig(widths=(20, 32)), "give multiples of 16"),
        (lambda: CostDecoderConfig(widths=(16,)), "differ in number"),
        (lambda: ViewsConfig(stride=500), "each must be at most the next"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises((ValidationError, ValueError), match=message):
        make()


def test_linear_attention_weighs_classes_by_products_of_positive_features() -> None:
    layer = ClassAggregation(2, 0, heads=1, pool=1, slots=1)
    maps = _randn(1, 3, 1, 1, 2)
    tokens = maps.flatten(1, 3)[0]
    query, key, value = layer.project(layer.norm1(tokens), None).chunk(3, dim=1)
    weights = (F.elu(query) + 1) @ (F.elu(key) + 1).T
    hidden = tokens + weights / weights.sum(dim=1, keepdim=True) @ value
    expected = tokens + hidden + layer.mlp(layer.norm2(hidden))
    torch.testing.assert_close(layer(maps, None).flatten(1, 3)[0], expected, atol=1e-5, rtol=1e-4)


def test_maps_are_resized_as_torch_does_with_aligned_corners() -> None:
    maps = _randn(2, 3, 2, 4, 5)
    channels_first = maps.flatten(0, 1).permute(0, 3, 1, 2)
    expected = F.interpolate(channels_first, size=(4, 8), mode="bilinear", align_corners=True)
    torch.testing.assert_close(resize_corners(maps, (4, 8)).flatten(0, 1).permute(0, 3, 1, 2), expected)
