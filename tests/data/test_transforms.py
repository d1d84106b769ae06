"""Training transforms: images and labels change together, and draws depend on keys only."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmark.core.protocol import RatioRange, ShortSides, TrainTransform
from benchmark.core.seeding import torch_generator
from benchmark.data.samplers import SampleKey
from benchmark.data.transforms import (
    CLIP_MEAN_RGB,
    Augmentation,
    CropView,
    RandomColor,
    RandomCrop,
    RandomFlip,
    RandomTone,
    ResizeAndPad,
    Transform,
    make_chroma_map,
    make_train_transforms,
)


def number_pixels(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return an image and labels that both hold the index of each pixel."""
    labels = torch.arange(height * width).reshape(height, width)
    return labels.float().expand(3, height, width), labels


def transform_labels(transforms: tuple[Transform, ...], key: SampleKey, seed: int = 0) -> Tensor:
    return Augmentation(seed, "augment", transforms)(*number_pixels(12, 12), key).labels


@given(height=st.integers(1, 9), width=st.integers(1, 9), side=st.integers(1, 9), slot=st.integers(0, 50))
def test_image_and_labels_move_together_and_padding_is_ignored(height: int, width: int, side: int, slot: int) -> None:
    transforms = (RandomCrop(side), RandomFlip(), ResizeAndPad(side, True, 255))
    view = Augmentation(0, "augment", transforms)(*number_pixels(height, width), SampleKey(0, slot, 0))
    image, labels = view.image, view.labels
    is_padding = labels == 255
    assert image.shape == (3, side, side) and labels.shape == (side, side)
    assert torch.equal(image[0][~is_padding], labels[~is_padding].float())
    assert torch.allclose(image[:, is_padding], torch.tensor(CLIP_MEAN_RGB)[:, None])
    assert view.size == (min(height, side), min(width, side))
    assert not is_padding[: view.size[0], : view.size[1]].any() and (~is_padding).sum() == view.size[0] * view.size[1]


def test_crops_cover_every_position() -> None:
    first = {int(transform_labels((RandomCrop(10),), SampleKey(0, slot, 0))[0, 0]) for slot in range(200)}
    assert first == {12 * top + left for top in range(3) for left in range(3)}


def test_about_half_of_the_images_are_flipped() -> None:
    flipped = sum(int(transform_labels((RandomFlip(),), SampleKey(0, slot, 0))[0, 0]) == 11 for slot in range(400))
    assert 160 < flipped < 240


@pytest.mark.parametrize(("key", "seed"), [(SampleKey(1, 0, 0), 0), (SampleKey(0, 1, 0), 0), (SampleKey(0, 0, 0), 1)])
def test_iteration_slot_and_seed_each_change_the_draw(key: SampleKey, seed: int) -> None:
    assert not torch.equal(
        transform_labels((RandomCrop(2),), key, seed), transform_labels((RandomCrop(2),), SampleKey(0, 0, 0))
    )


def test_draws_do_not_depend_on_the_image() -> None:
    assert torch.equal(
        transform_labels((RandomCrop(2),), SampleKey(5, 6, 0)), transform_labels((RandomCrop(2),), SampleKey(5, 6, 9))
    )


def test_removing_a_transform_changes_no_other_draw() -> None:
    crop, flip = RandomCrop(5), RandomFlip()
    for slot in range(8):
        assert torch.equal(
            transform_labels((crop, RandomTone(), flip), SampleKey(0, slot, 0)),
            transform_labels((crop, flip), SampleKey(0, slot, 0)),
        )


def test_tone_changes_the_image_within_its_range_and_never_the_labels() -> None:
    image, labels = number_pixels(16, 16)
    view = RandomTone()(CropView(image, labels, (16, 16)), torch_generator("tone"))
    changed = view.image
    assert view.labels is labels and not torch.equal(changed, image)
    assert changed.min() >= 0 and changed.max() <= 255
    assert (changed - image).abs().max() <= 0.15 * 128 + 20


def test_inputs_are_not_edited_in_place() -> None:
    image, labels = torch.full((3, 4, 4), 250.0), torch.zeros(4, 4, dtype=torch.long)
    transforms = make_train_transforms(TrainTransform(crop=6), antialias=True, ignore=255, padding=255)
    Augmentation(0, "augment", transforms)(image, labels, SampleKey(0, 0, 0))
    assert (image == 250).all() and (labels == 0).all()


def test_a_crop_of_zero_keeps_the_whole_image() -> None:
    transforms = (RandomCrop(), ResizeAndPad(0, True, 255))
    view = Augmentation(0, "initial", transforms)(*number_pixels(3, 5), SampleKey(0, 0, 0))
    assert torch.equal(view.image, number_pixels(3, 5)[0]) and view.labels.shape == view.size == (3, 5)


@pytest.mark.parametrize("slot", range(12))
def test_image_and_labels_of_a_resized_crop_show_the_same_region(slot: int) -> None:
    blocks = torch.arange(64).reshape(8, 8).repeat_interleave(16, 0).repeat_interleave(16, 1)
    crop = RandomCrop(48, RatioRange(short_side=128, long_side=128, low=0.5, high=2.0))
    augment = Augmentation(0, "augment", (crop, RandomFlip(), ResizeAndPad(48, True, 255)))
    view = augment(blocks.float().expand(3, -1, -1), blocks, SampleKey(0, slot, 0))
    image, labels = view.image, view.labels
    assert image.shape == (3, 48, 48) and labels.shape == (48, 48)
    agree = (image[0] - labels.float()).abs() < 0.5  # the image blends neighboring blocks
    assert agree.float().mean() > 0.7


def test_an_image_smaller_than_the_crop_is_kept_whole_and_padded() -> None:
    crop = RandomCrop(12, ShortSides(sides=(6,)))
    view = Augmentation(0, "augment", (crop, ResizeAndPad(12, True, 9)))(*number_pixels(4, 8), SampleKey(0, 0, 0))
    image, labels = view.image, view.labels
    assert image.shape == (3, 12, 12) and (labels[:6, :12] != 9).any() and (labels[6:] == 9).all()
    assert torch.allclose(image[:, 6:], torch.tensor(CLIP_MEAN_RGB)[:, None, None])


def test_crops_of_a_single_class_are_drawn_again() -> None:
    labels = torch.full((320, 320), 1)
    labels[:, 288:] = 2
    image = torch.zeros(3, 320, 320)

    def share_mixed(share: float) -> float:
        """Return the share of 200 crops with both classes; expected: 32 / 257, or 1 - (241 / 257)^10 if redrawn."""
        crop = RandomCrop(64, largest_share=share)
        cuts = [Augmentation(0, "a", (crop,))(image, labels, SampleKey(0, slot, 0)).labels for slot in range(200)]
        return sum(len(cut.unique()) == 2 for cut in cuts) / len(cuts)

    assert 0.05 < share_mixed(1.0) < 0.2 and 0.36 < share_mixed(0.75) < 0.6


def test_ignored_pixels_do_not_make_a_crop_mixed() -> None:
    def is_mixed(*row: int) -> bool:
        crop = RandomCrop(8, largest_share=0.75)
        return crop._is_mixed(crop._number(np.array([row])))

    assert not is_mixed(3, 3, 255, 255) and not is_mixed(255, 255) and not is_mixed(-3, 3, -3)
    assert is_mixed(1, 1, 2, 255) and not is_mixed(1, 1, 1, 2)


def test_an_image_of_one_class_takes_the_last_of_ten_draws() -> None:
    image, generator = torch.arange(100.0).expand(3, 100, 100), torch_generator("crop")
    crop = RandomCrop(10, largest_share=0.75)(CropView(image, torch.ones(100, 100).int(), (100, 100)), generator)
    again = torch_generator("crop")
    draws = [int(torch.randint(0, 91, (), generator=again)) for _ in range(20)]
    assert crop.image[0, 0, 0] == draws[-1]


def test_color_distortion_keeps_gray_and_labels() -> None:
    gray = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    labels = torch.zeros(16, 16, dtype=torch.long)
    for slot in range(20):
        view = RandomColor()(CropView(gray, labels, (16, 16)), torch_generator("color", slot))
        spread = view.image.int().amax(dim=0) - view.image.int().amin(dim=0)
        assert view.labels is labels and view.image.dtype == torch.uint8 and spread.max() <= 1


def test_color_distortion_applies_the_drawn_linear_map() -> None:
    image = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8, generator=torch_generator("image"))
    changed = RandomColor()(CropView(image, image[0], (5, 7)), torch_generator("color", 1)).image
    matrix = torch.from_numpy(RandomColor().draw_matrix(torch_generator("color", 1)))
    expected = torch.einsum("dc,chw->dhw", matrix[:, :3], image.double()) + matrix[:, 3, None, None]
    assert not torch.equal(changed, image)
    assert (changed.double() - expected.clamp(0, 255)).abs().max() <= 0.51


def test_each_kind_of_color_distortion_has_probability_one_half() -> None:
    draws = [RandomColor().draw_matrix(torch_generator("color", slot)) for slot in range(400)]
    unchanged = sum(np.allclose(draw[:, :3], np.eye(3), atol=1e-4) for draw in draws)
    assert 20 < unchanged < 80  # contrast, saturation and hue all unchanged: one in eight
    assert 140 < sum(bool(draw[:, 3].any()) for draw in draws) < 260


def test_unchanged_chroma_is_the_identity_and_zero_chroma_is_luma() -> None:
    assert np.allclose(make_chroma_map(1.0, hue_degrees=0.0), np.eye(3))
    assert np.allclose(make_chroma_map(0.0, hue_degrees=30.0), [[0.299, 0.587, 0.114]] * 3, atol=1e-3)
    assert np.allclose(make_chroma_map(1.0, hue_degrees=360.0), np.eye(3))


def test_rng_keys_stay_when_classes_are_renamed() -> None:
    rules = TrainTransform(crop=6, color="photometric")
    transforms = make_train_transforms(rules, antialias=True, ignore=255, padding=255)
    assert [transform.rng_key for transform in transforms] == ["RandomCrop", "RandomFlip", "RandomColour", "Finish"]
    assert RandomTone.rng_key == "RandomTone"
