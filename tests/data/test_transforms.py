"""Pictures and labels move together, by address."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from benchmark.data.samplers import Key
from benchmark.data.transforms import (
    CLIP_MEAN_RGB,
    Augment,
    RandomCrop,
    RandomFlip,
    RandomTone,
    cropping_parts,
    training_parts,
)
from benchmark.seeding import torch_generator


def numbered(height: int, width: int) -> tuple[Tensor, Tensor]:
    """A picture and labels that both count the pixels, from 0."""
    labels = torch.arange(height * width).reshape(height, width)
    return labels.float().expand(3, height, width), labels


def parts_drawn(parts: tuple[RandomCrop | RandomFlip | RandomTone, ...], key: Key, seed: int = 0) -> Tensor:
    return Augment(seed, "augment", parts)(*numbered(12, 12), key)[1]


@given(height=st.integers(1, 9), width=st.integers(1, 9), side=st.integers(1, 9), slot=st.integers(0, 50))
def test_picture_and_labels_move_together_and_padding_is_ignored(height: int, width: int, side: int, slot: int) -> None:
    parts = (RandomCrop(side), RandomFlip())
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
    changed, kept = RandomTone()(image, labels, torch_generator("tone"))
    assert kept is labels and not torch.equal(changed, image)
    assert changed.min() >= 0 and changed.max() <= 255
    assert (changed - image).abs().max() <= 0.15 * 128 + 20


def test_inputs_are_not_edited_in_place() -> None:
    image, labels = torch.full((3, 4, 4), 250.0), torch.zeros(4, 4, dtype=torch.long)
    Augment(0, "augment", training_parts(6))(image, labels, Key(0, 0, 0))
    assert (image == 250).all() and (labels == 0).all()


def test_a_crop_of_zero_leaves_the_whole_picture() -> None:
    image, labels = Augment(0, "initial", cropping_parts(0))(*numbered(3, 5), Key(0, 0, 0))
    assert torch.equal(image, numbered(3, 5)[0]) and labels.shape == (3, 5)
