"""Targets of candidate queries: embeddings of regions, and their contrastive loss."""

from __future__ import annotations

from typing import cast

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks import ClipImageEncoder, load_clip
from methods.blocks.candidate_regions import CandidateConfig, CandidateRegions, Enhancement, RegionContrast
from methods.blocks.mask_matching import Matches
from methods.blocks.masked_crops import MaskedCropConfig, MaskedCropEncoder
from methods.blocks.region_clustering import RegionConfig, Regions
from methods.blocks.toy import TOY_CLIP_CONFIG
from tests.methods.cases import training_batch

CLIP = load_clip(TOY_CLIP_CONFIG)
ENCODER = ClipImageEncoder(CLIP.visual)
MASK = torch.zeros(1, 64, 64, dtype=torch.bool)
MASK[0, 8:30, 10:60] = True


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def build(**settings: object) -> CandidateRegions:
    config = CandidateConfig.model_validate({"regions": RegionConfig(windows=(1, 2), merge_above=0.8), **settings})
    return CandidateRegions(CLIP, ENCODER, config)


def test_crops_of_clip_s_size_are_embedded_as_zsseg_does() -> None:
    image = 255 * torch.rand(3, 64, 64, generator=torch.Generator().manual_seed(0))
    expected = MaskedCropEncoder(CLIP, MaskedCropConfig())(image, MASK).vectors
    torch.testing.assert_close(build().encode_crops(image[None], [MASK]), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("size", "side"), [(32, 32), (30, 32), (3, 8)])
def test_smaller_crops_are_whole_patches(size: int, side: int) -> None:
    assert build(crop_size=size).cropper.size == (side, side)


def test_masks_are_those_of_the_regions_and_only_unlabeled_pixels_count() -> None:
    batch = training_batch()
    images = torch.stack([sample["image"] for sample in batch])
    is_unlabeled = torch.zeros(2, 32, 32, dtype=torch.bool)
    is_unlabeled[0, :16] = True
    regions, targets = build()(batch, images, is_unlabeled)
    assert targets.counts == tuple(regions.is_present.sum(dim=1).tolist())
    assert targets.counts[1] == 0
    assert targets.masks[0].sum(dim=0).equal((regions.ids[0] >= 0).long())
    assert targets.valid is is_unlabeled


def test_dense_embeddings_are_those_of_the_teacher() -> None:
    batch = training_batch()
    images, is_unlabeled = torch.stack([sample["image"] for sample in batch]), torch.ones(2, 32, 32, dtype=torch.bool)
    dense, _ = build(embedding="dense")(batch, images, is_unlabeled)
    crops, _ = build()(batch, images, is_unlabeled)
    assert dense.embeddings.equal(build().teacher(batch, is_unlabeled).embeddings)
    assert crops.embeddings.shape == dense.embeddings.shape
    assert not torch.allclose(crops.embeddings, dense.embeddings)


def test_other_regions_of_the_batch_and_the_bank_repel_a_matched_query() -> None:
    contrast = RegionContrast(CandidateConfig(bank=2, temperature=0.5), dimension=4)
    contrast.bank.add(unit(2, 4, seed=1))
    is_present = torch.tensor([[True, False], [True, True]])
    embeddings, queries = unit(2, 2, 4, seed=2), unit(2, 3, 4, seed=3)
    regions = Regions(cast(Tensor, None), is_present, embeddings, cast(Tensor, None))
    loss = contrast(queries, Matches(torch.tensor([1]), torch.tensor([2]), torch.tensor([1])), regions)
    rows = torch.stack([embeddings[0, 0], embeddings[1, 0], embeddings[1, 1], *unit(2, 4, seed=1)])
    torch.testing.assert_close(loss, -(rows @ queries[1, 2] / 0.5).log_softmax(dim=0)[2])


def test_without_a_match_the_loss_is_zero_and_keeps_the_graph() -> None:
    queries = unit(2, 3, 4).requires_grad_()
    nothing = torch.zeros(0, dtype=torch.long)
    regions = Regions(cast(Tensor, None), torch.zeros(2, 0), torch.zeros(2, 0, 4), cast(Tensor, None))
    loss = RegionContrast(CandidateConfig(), dimension=4)(queries, Matches(nothing, nothing, nothing), regions)
    loss.backward()
    assert not loss and queries.grad is not None


def test_the_enhancement_changes_nothing_at_the_start_and_every_scale_later() -> None:
    enhance, features = Enhancement(4, (1, 2, 4)), torch.randn(1, 4, 5, 7)
    assert enhance(features).equal(features)
    torch.nn.init.ones_(enhance.merge.weight)
    enhance(features).sum().backward()
    assert all(branch.weight.grad.abs().sum() > 0 for branch in enhance.branches)
