"""Masked crops: which regions, what CLIP sees of them, and the ensemble."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.blocks.clip import load_clip
from methods.blocks.clip.config import Clip
from methods.blocks.masked_crops import MaskedCropConfig, MaskedCropEncoder, expand_side
from methods.blocks.toy import TOY_CLIP_CONFIG
from tests.methods.blocks.clip.tiny_towers import RESNET, load_tiny

IMAGE = 255 * torch.rand(3, 40, 64, generator=torch.Generator().manual_seed(0))
BOX = torch.zeros(1, 40, 64)
BOX[0, 10:26, 8:40] = 0.9
CLIP = load_clip(TOY_CLIP_CONFIG)


def make_encoder(**fields: object) -> MaskedCropEncoder:
    return MaskedCropEncoder(CLIP, MaskedCropConfig.model_validate(fields))


def crop(masks: Tensor, **fields: object) -> Tensor:
    return make_encoder(**fields).crop(IMAGE, masks)[0]


def test_the_crop_of_a_full_mask_is_the_resized_image() -> None:
    encoder = make_encoder()
    expected = torch.nn.functional.interpolate(encoder.normalize(IMAGE)[None], size=encoder.size, mode="bicubic")
    assert torch.equal(crop(torch.ones(1, 40, 64)), expected)


@pytest.mark.parametrize(("clip", "side"), [(CLIP, 64), (load_tiny(RESNET), 64), (load_tiny("tiny-pe"), 32)])
def test_the_embedding_of_a_region_is_open_clips_own_of_its_pixels(clip: Clip, side: int) -> None:
    image = 255 * torch.rand(3, side, side, generator=torch.Generator().manual_seed(1))
    left = (torch.arange(side) < side // 2).expand(side, side)
    encoder = MaskedCropEncoder(clip, MaskedCropConfig(fill="image"))
    vectors = encoder(image, torch.stack([torch.ones_like(left), left])).vectors
    mean, std = (torch.tensor(values)[:, None, None] for values in (clip.visual.image_mean, clip.visual.image_std))
    pixels = (image / 255 - mean) / std
    wide = torch.nn.functional.interpolate(pixels[None, :, :, : side // 2], size=(side, side), mode="bicubic")
    expected = clip.encode_image(torch.cat([pixels[None], wide]), normalize=True)
    assert (expected[0] - expected[1]).abs().max() > 1e-4
    torch.testing.assert_close(vectors, expected, rtol=0, atol=1e-6)


def test_crops_have_the_side_that_is_asked_for() -> None:
    encoder = MaskedCropEncoder(CLIP, MaskedCropConfig(), side=24)
    assert encoder.crop(IMAGE, BOX)[0].shape == (1, 3, 24, 24)
    assert encoder.crop(IMAGE, BOX[:0])[0].shape == (0, 3, 24, 24)


def test_the_crop_of_a_box_sees_nothing_outside_of_it() -> None:
    inside = crop(BOX)
    changed = torch.where(BOX > 0.5, IMAGE, 255 - IMAGE)
    assert torch.equal(make_encoder().crop(changed, BOX)[0], inside)


@pytest.mark.parametrize(("fill", "expected"), [("mean", 0.0), ("black", -0.45), ("image", None)])
def test_around_a_region_there_is_the_chosen_color(fill: str, expected: float | None) -> None:
    corners = torch.zeros(1, 40, 64)
    corners[0, 0, 0] = corners[0, -1, -1] = 1
    center = crop(corners, fill=fill)[0, :, 30:34, 30:34]
    color = make_encoder().normalize(torch.zeros(3, 1, 1)) if expected else torch.zeros(3, 1, 1)
    assert torch.allclose(center, color.expand_as(center), atol=1e-5) is (expected is not None)


def test_masks_without_a_region_have_no_embedding() -> None:
    small = torch.zeros(1, 40, 64)
    small[0, 3, 3] = 1
    masks = torch.cat([torch.full((1, 40, 64), 0.4), BOX, small])
    vectors, has_region = make_encoder()(IMAGE, masks)
    assert has_region.tolist() == [False, True, True] and vectors.shape == (2, 64)
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2))
    assert make_encoder(min_area=0.01)(IMAGE, masks).has_region.tolist() == [False, True, False]
    assert make_encoder()(IMAGE, masks[:1]).vectors.shape == (0, 64)


def test_a_box_is_expanded_around_its_center_and_cut_at_the_border() -> None:
    inside = torch.zeros(10, dtype=torch.bool)
    inside[2:4] = True
    assert expand_side(inside, 1.0) == slice(2, 4)
    assert expand_side(inside, 2.0) == slice(1, 5)
    assert expand_side(inside, 9.0) == slice(0, 10)
