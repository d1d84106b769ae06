"""Information that each protocol setting reveals to training."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.core.protocol import EvalTransform, Protocol, RatioRange, TrainTransform
from benchmark.core.types import Batch
from benchmark.data.base import RawSample
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.data.train_images import select_train_images
from tests.data.tiny_dataset import SIDE, SIZE, SPLIT, Relabeled, Tiny, same

GEOMETRY = TrainTransform(
    resize=RatioRange(short_side=8, long_side=32, low=0.5, high=2), crop=8, largest_share=0.75, color="photometric"
)
UNSEEN_AND_VOID_SWAPPED = (0, 2, 1, 3, 4)
"""dog (1) is unseen, cow (2) and bee (4) are not in the split."""


def make_loader(dataset: Tiny | Relabeled, setting: str) -> TrainLoader:
    protocol = Protocol.model_validate({"setting": setting, "train": GEOMETRY})
    return TrainLoader(dataset, SPLIT, protocol=protocol, batch_size=3, seed=0)


def load_batches(dataset: Tiny | Relabeled, setting: str) -> list[Batch]:
    return list(make_loader(dataset, setting).batches(0, 4))


def load_unlabeled(dataset: Tiny | Relabeled, setting: str) -> list[torch.Tensor]:
    return [sample["unlabeled"] for batch in load_batches(dataset, setting) for sample in batch]


def test_inductive_training_cannot_tell_unseen_pixels_from_void_ones() -> None:
    changed = Relabeled(Tiny(), UNSEEN_AND_VOID_SWAPPED)
    assert same(load_batches(changed, "inductive"), load_batches(Tiny(), "inductive"))
    assert all("unlabeled" not in sample for batch in load_batches(Tiny(), "inductive") for sample in batch)


def test_transductive_training_cannot_tell_them_apart_but_knows_padding() -> None:
    changed = Relabeled(Tiny(), UNSEEN_AND_VOID_SWAPPED)
    pairs = zip(load_unlabeled(changed, "transductive"), load_unlabeled(Tiny(), "transductive"), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)
    samples = [sample for batch in load_batches(Tiny(), "transductive") for sample in batch]
    assert all((sample["sem_seg"][sample["unlabeled"]] == 255).all() for sample in samples)
    assert any((~sample["unlabeled"] & (sample["sem_seg"] == 255)).any() for sample in samples)


def test_located_training_can_tell_them_apart() -> None:
    changed, setting = Relabeled(Tiny(), UNSEEN_AND_VOID_SWAPPED), "transductive, unseen located"
    pairs = zip(load_unlabeled(changed, setting), load_unlabeled(Tiny(), setting), strict=True)
    assert not all(torch.equal(a, b) for a, b in pairs)
    labels = [sample["sem_seg"].flatten() for batch in load_batches(Tiny(), setting) for sample in batch]
    assert set(torch.cat(labels).tolist()) <= {0, 1, 255}


@pytest.mark.parametrize(
    ("shown", "labeled", "without_unseen"),
    [([0, 255], True, True), ([0, 1], True, False), ([1, 255], False, False), ([2, 4], False, True)],
)
def test_training_images_are_selected_by_the_classes_they_show(
    shown: list[int], labeled: bool, without_unseen: bool
) -> None:
    dataset = Tiny(labels=np.resize(np.array(shown), (SIDE, SIDE)))
    for rule, is_selected in (("all", True), ("labeled", labeled), ("without unseen", without_unseen)):
        if is_selected:
            assert len(select_train_images(dataset, SPLIT, rule)) == SIZE  # type: ignore[arg-type]
        else:
            with pytest.raises(ValueError, match="selects none of the 7 images in subset 'train'"):
                select_train_images(dataset, SPLIT, rule)  # type: ignore[arg-type]


class OneEach(Tiny):
    """Image i shows class i only."""

    def read(self, subset: str, index: int) -> RawSample:
        raw = super().read(subset, index)
        return replace(raw, labels=np.full_like(raw.labels, index % len(self.classes)))


@pytest.mark.parametrize(
    ("rule", "kept"), [("labeled", {"0", "3", "5"}), ("without unseen", {"0", "2", "3", "4", "5"})]
)
def test_images_that_are_not_selected_are_never_drawn(rule: str, kept: set[str]) -> None:
    rules = Protocol.model_validate({"train_images": rule})
    loader = TrainLoader(OneEach(), SPLIT, protocol=rules, batch_size=4, seed=0)
    drawn = [sample["image_id"] for batch in loader.batches(0, 30) for sample in batch]
    assert set(drawn) == kept and len(loader) == len(kept)
    assert {sample["image_id"] for batch in loader.init_batches(99) for sample in batch} == kept


def test_a_protocol_may_train_on_the_first_images_alone() -> None:
    loader = TrainLoader(OneEach(), SPLIT, protocol=Protocol(train_images=3), batch_size=2, seed=0)
    drawn = [sample["image_id"] for batch in loader.batches(0, 30) for sample in batch]
    assert set(drawn) == {"0", "1", "2"} and len(loader) == 3


def test_more_training_images_than_there_are_are_refused() -> None:
    with pytest.raises(ValueError, match=r"trains on 8 images, but subset 'train' of 'tiny' has 7: give .* at most 7"):
        select_train_images(Tiny(), SPLIT, 8)


@pytest.mark.parametrize("longest", [0, 10])
def test_evaluation_images_are_resized_and_their_targets_are_not(longest: int) -> None:
    rules = Protocol(test=EvalTransform(short_side=16, longest=longest))
    sample, target = list(EvalLoader(Tiny(), SPLIT, protocol=rules))[4]
    assert target.shape == (SIDE, SIDE + 4) == (sample["height"], sample["width"])
    assert sample["image"].shape == ((3, 7, 10) if longest else (3, 16, 24))


def test_a_subset_of_another_size_than_in_the_split_is_refused() -> None:
    split = SPLIT.model_copy(update={"images": {"train": 10582}})
    with pytest.raises(ValueError, match=r"expects 10582 images in subset 'train'.*found 7: .*images: {train: 7}"):
        TrainLoader(Tiny(), split, protocol=Protocol(), batch_size=1, seed=0)
