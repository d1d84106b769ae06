"""Pictures and labels move together, by address."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmark.core.protocol import RatioRange, ShortSides, TrainGeometry
from benchmark.core.seeding import torch_generator
from benchmark.data.samplers import Key
from benchmark.data.transforms import (
    CLIP_MEAN_RGB,
    Augment,
    Finish,
    Part,
    RandomColour,
    RandomCrop,
    RandomFlip,
    RandomTone,
    View,
    chroma_map,
    plain_parts,
    training_parts,
)


def numbered(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture and labels that both count the pixels, from 0."""
    labels = torch.arange(height * width).reshape(height, width)
    return labels.float().expand(3, height, width), labels


def parts_drawn(parts: tuple[Part, ...], key: Key, seed: int = 0) -> Tensor:
    return Augment(seed, "augment", parts)(*numbered(12, 12), key)[1]


@given(height=st.integers(1, 9), width=st.integers(1, 9), side=st.integers(1, 9), slot=st.integers(0, 50))
def test_picture_and_labels_move_together_and_padding_is_ignored(height: int, width: int, side: int, slot: int) -> None:
    parts = (RandomCrop(side), RandomFlip(), Finish(side, True, 255))
    image, labels = Augment(0, "augment", parts)(*numbered(height, width), Key(0, slot, 0))
    is_padding = labels == 255
    assert image.shape == (3, side, side) and labels.shape == (side, side)
    assert torch.equal(image[0][~is_padding], labels[~is_padding].float())
    assert torch.allclose(image[:, is_padding], torch.tensor(CLIP_MEAN_RGB)[:, None])
    assert (~is_padding).sum() == min(height, side) * min(width, side)


def test_a_crop_reaches_every_corner() -> None:
    first = {int(parts_drawn((RandomCrop(10),), Key(0, slot, 0))[0, 0]) for slot in range(200)}
    assert first == {12 * top + left for top in range(3) for left in range(3)}


def test_a_flip_happens_in_about_half_of_the_cases() -> None:
    flipped = sum(int(parts_drawn((RandomFlip(),), Key(0, slot, 0))[0, 0]) == 11 for slot in range(400))
    assert 160 < flipped < 240


@pytest.mark.parametrize(("key", "seed"), [(Key(1, 0, 0), 0), (Key(0, 1, 0), 0), (Key(0, 0, 0), 1)])
def test_iteration_slot_and_seed_each_change_the_draw(key: Key, seed: int) -> None:
    assert not torch.equal(parts_drawn((RandomCrop(2),), key, seed), parts_drawn((RandomCrop(2),), Key(0, 0, 0)))


def test_the_same_address_draws_the_same_for_any_image_number() -> None:
    assert torch.equal(parts_drawn((RandomCrop(2),), Key(5, 6, 0)), parts_drawn((RandomCrop(2),), Key(5, 6, 9)))


def test_leaving_out_one_part_changes_no_other_draw() -> None:
    crop, flip = RandomCrop(5), RandomFlip()
    for slot in range(8):
        assert torch.equal(
            parts_drawn((crop, RandomTone(), flip), Key(0, slot, 0)), parts_drawn((crop, flip), Key(0, slot, 0))
        )


def test_tone_changes_the_picture_within_its_range_and_never_the_labels() -> None:
    image, labels = numbered(16, 16)
    view = RandomTone()(View(image, labels, (16, 16)), torch_generator("tone"))
    changed = view.image
    assert view.labels is labels and not torch.equal(changed, image)
    assert changed.min() >= 0 and changed.max() <= 255
    assert (changed - image).abs().max() <= 0.15 * 128 + 20


def test_inputs_are_not_edited_in_place() -> None:
    image, labels = torch.full((3, 4, 4), 250.0), torch.zeros(4, 4, dtype=torch.long)
    parts = training_parts(TrainGeometry(crop=6), antialias=True, ignore=255, padding=255)
    Augment(0, "augment", parts)(image, labels, Key(0, 0, 0))
    assert (image == 250).all() and (labels == 0).all()


def test_a_crop_of_zero_leaves_the_whole_picture() -> None:
    parts = plain_parts(TrainGeometry(), antialias=True, ignore=255, padding=255)
    image, labels = Augment(0, "initial", parts)(*numbered(3, 5), Key(0, 0, 0))
    assert torch.equal(image, numbered(3, 5)[0]) and labels.shape == (3, 5)


@pytest.mark.parametrize("slot", range(12))
def test_what_is_cut_and_resized_shows_the_same_place_in_picture_and_labels(slot: int) -> None:
    blocks = torch.arange(64).reshape(8, 8).repeat_interleave(16, 0).repeat_interleave(16, 1)
    crop = RandomCrop(48, RatioRange(short_side=128, long_side=128, low=0.5, high=2.0))
    augment = Augment(0, "augment", (crop, RandomFlip(), Finish(48, True, 255)))
    image, labels = augment(blocks.float().expand(3, -1, -1), blocks, Key(0, slot, 0))
    assert image.shape == (3, 48, 48) and labels.shape == (48, 48)
    agree = (image[0] - labels.float()).abs() < 0.5  # between two blocks the picture mixes them
    assert agree.float().mean() > 0.7


def test_a_picture_smaller_than_the_crop_is_taken_whole_and_filled_up() -> None:
    crop = RandomCrop(12, ShortSides(sides=(6,)))
    image, labels = Augment(0, "augment", (crop, Finish(12, True, 9)))(*numbered(4, 8), Key(0, 0, 0))
    assert image.shape == (3, 12, 12) and (labels[:6, :12] != 9).any() and (labels[6:] == 9).all()
    assert torch.allclose(image[:, 6:], torch.tensor(CLIP_MEAN_RGB)[:, None, None])


def test_crops_full_of_one_class_are_drawn_again() -> None:
    labels = torch.full((320, 320), 1)
    labels[:, 288:] = 2
    image = torch.zeros(3, 320, 320)

    def mixed(share: float) -> float:
        """How many of 200 crops show both; by hand, 32 in 257 places, and 1 - (241 / 257)^10 with ten tries."""
        crop = RandomCrop(64, largest_share=share)
        cuts = [Augment(0, "a", (crop,))(image, labels, Key(0, slot, 0))[1] for slot in range(200)]
        return sum(len(cut.unique()) == 2 for cut in cuts) / len(cuts)

    assert 0.05 < mixed(1.0) < 0.2 and 0.36 < mixed(0.75) < 0.6


def test_ignored_pixels_make_no_crop_mixed() -> None:
    def is_mixed(*row: int) -> bool:
        return RandomCrop(8, largest_share=0.75)._is_mixed(np.array([row]))

    assert not is_mixed(3, 3, 255, 255) and not is_mixed(255, 255) and not is_mixed(-3, 3, -3)
    assert is_mixed(1, 1, 2, 255) and not is_mixed(1, 1, 1, 2)


def test_colour_distortion_leaves_grey_grey_and_labels_alone() -> None:
    grey = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).expand(3, -1, -1)
    labels = torch.zeros(16, 16, dtype=torch.long)
    for slot in range(20):
        view = RandomColour()(View(grey, labels, (16, 16)), torch_generator("colour", slot))
        spread = view.image.int().amax(dim=0) - view.image.int().amin(dim=0)
        assert view.labels is labels and view.image.dtype == torch.uint8 and spread.max() <= 1


def test_colour_distortion_is_the_linear_map_it_draws() -> None:
    image = torch.randint(0, 256, (3, 5, 7), dtype=torch.uint8, generator=torch_generator("image"))
    changed = RandomColour()(View(image, image[0], (5, 7)), torch_generator("colour", 1)).image
    matrix = torch.from_numpy(RandomColour().drawn(torch_generator("colour", 1)))
    expected = torch.einsum("dc,chw->dhw", matrix[:, :3], image.double()) + matrix[:, 3, None, None]
    assert not torch.equal(changed, image)
    assert (changed.double() - expected.clamp(0, 255)).abs().max() <= 0.51


def test_each_kind_of_colour_distortion_happens_in_about_half_of_the_cases() -> None:
    draws = [RandomColour().drawn(torch_generator("colour", slot)) for slot in range(400)]
    unchanged = sum(np.allclose(draw[:, :3], np.eye(3), atol=1e-4) for draw in draws)
    assert 20 < unchanged < 80  # contrast, saturation and hue all left alone: one in eight
    assert 140 < sum(bool(draw[:, 3].any()) for draw in draws) < 260


def test_chroma_without_change_is_the_identity_and_without_colour_is_luma() -> None:
    assert np.allclose(chroma_map(1.0, turn_degrees=0.0), np.eye(3))
    assert np.allclose(chroma_map(0.0, turn_degrees=30.0), [[0.299, 0.587, 0.114]] * 3, atol=1e-3)
    assert np.allclose(chroma_map(1.0, turn_degrees=360.0), np.eye(3))
