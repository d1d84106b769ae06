"""Pseudo regions: clusters cut to unlabeled pixels, and features pooled in them."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmark.core.types import Batch
from methods.blocks.region_clustering import (
    NO_REGION,
    RegionConfig,
    RegionTeacher,
    pool_by_region,
    select_unlabeled,
)
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder

CLUSTERS = torch.tensor([[[5, 5], [2, 7]]])
KEEP_ALL = RegionConfig(min_share=0)


def make_sample(height: int, width: int, *, padded: int | None = None) -> Batch:
    image = 255 * torch.rand(3, height, width, generator=torch.Generator().manual_seed(height + width))
    size = padded or max(height, width)
    canvas = torch.zeros(3, size, size)
    canvas[:, :height, :width] = image
    return [{"image": canvas, "height": 1, "width": 1, "file_name": "", "image_id": "", "valid_size": (height, width)}]


def find(batch: Batch, is_unlabeled: Tensor) -> Tensor:
    teacher = RegionTeacher(build_tiny_encoder(), RegionConfig(windows=(1, 2), merge_above=0.5))
    return teacher(batch, is_unlabeled).ids


def test_regions_are_numbered_from_the_largest_and_only_unlabeled_pixels_are_in_one() -> None:
    is_unlabeled = torch.ones(1, 4, 4, dtype=torch.bool)
    is_unlabeled[0, 2:, 0], is_unlabeled[0, 0, 0] = False, False
    numbers = select_unlabeled(CLUSTERS, is_unlabeled, config=KEEP_ALL)
    assert numbers.tolist() == [[[-1, 0, 0, 0], [0, 0, 0, 0], [-1, 2, 1, 1], [-1, 2, 1, 1]]]


def test_regions_below_the_smallest_share_and_beyond_the_largest_number_are_dropped() -> None:
    is_unlabeled = torch.ones(1, 4, 4, dtype=torch.bool)
    is_unlabeled[0, 2:, 1] = False
    by_share = select_unlabeled(CLUSTERS, is_unlabeled, config=RegionConfig(min_share=3 / 16))
    by_number = select_unlabeled(CLUSTERS, is_unlabeled, config=RegionConfig(min_share=0, max_regions=1))
    assert by_share.unique().tolist() == [NO_REGION, 0, 1]
    assert by_number.unique().tolist() == [NO_REGION, 0]


def test_pooled_features_are_means_over_the_pixels_of_a_region() -> None:
    features = torch.randn(2, 3, 2, 3, generator=torch.Generator().manual_seed(0))
    ids = torch.randint(-1, 3, (2, 4, 6), generator=torch.Generator().manual_seed(1))
    means, areas = pool_by_region(features, ids, num_regions=4)
    pixels = features.repeat_interleave(2, 2).repeat_interleave(2, 3)
    for region in range(3):
        assert areas[1, region] == (ids[1] == region).sum()
        torch.testing.assert_close(means[1, region], pixels[1, :, ids[1] == region].mean(dim=1))
    assert not means[:, 3].any()


def test_pooling_into_no_regions_gives_no_means() -> None:
    means, areas = pool_by_region(torch.randn(2, 3, 2, 2), torch.full((2, 4, 4), NO_REGION), num_regions=0)
    assert means.shape == (2, 0, 3)
    assert areas.shape == (2, 0)


def test_padding_is_in_no_region_and_changes_none() -> None:
    everything = torch.ones(1, 64, 64, dtype=torch.bool)
    alone = find(make_sample(48, 64, padded=64)[:1], everything)
    assert (alone[0, 48:] == NO_REGION).all()
    both = find([*make_sample(48, 64, padded=64), *make_sample(64, 64)], everything.expand(2, -1, -1))
    assert both[:1].equal(alone)


def test_present_regions_and_class_tokens_fit_the_images() -> None:
    teacher = RegionTeacher(build_tiny_encoder(), RegionConfig(windows=(1, 2), merge_above=0.5))
    batch, is_unlabeled = make_sample(64, 64) * 2, torch.ones(2, 64, 64, dtype=torch.bool)
    is_unlabeled[1] = False
    regions = teacher(batch, is_unlabeled)
    assert regions.is_present[0].all()
    assert not regions.is_present[1].any()
    assert not regions.embeddings[1].any()
    torch.testing.assert_close(regions.embeddings[0].norm(dim=1), torch.ones(regions.is_present.shape[1]))
    torch.testing.assert_close(regions.class_tokens, teacher.encode_class_tokens(batch))
