"""What each setting of a protocol lets training see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmark.core.protocol import EvalTransform, Protocol, RatioRange, TrainGeometry
from benchmark.core.types import Batch
from benchmark.data.base import RawSample
from benchmark.data.loader import EvalLoader, TrainLoader, taking_part
from tests.data.cases import SIDE, SIZE, SPLIT, Relabelled, Tiny, same

GEOMETRY = TrainGeometry(
    resize=RatioRange(short_side=8, long_side=32, low=0.5, high=2), crop=8, largest_share=0.75, colour="photometric"
)
UNSEEN_AND_VOID_SWAPPED = (0, 2, 1, 3, 4)
"""dog (1) is unseen, cow (2) and bee (4) are not in the split."""


def view(dataset: Tiny | Relabelled, setting: str) -> TrainLoader:
    protocol = Protocol.model_validate({"setting": setting, "train": GEOMETRY})
    return TrainLoader(dataset, SPLIT, protocol=protocol, batch_size=3, seed=0)


def batches(dataset: Tiny | Relabelled, setting: str) -> list[Batch]:
    return list(view(dataset, setting).batches(0, 4))


def spare(dataset: Tiny | Relabelled, setting: str) -> list[torch.Tensor]:
    return [sample["unlabelled"] for batch in batches(dataset, setting) for sample in batch]


def test_inductive_training_cannot_tell_unseen_pixels_from_void_ones() -> None:
    changed = Relabelled(Tiny(), UNSEEN_AND_VOID_SWAPPED)
    assert same(batches(changed, "inductive"), batches(Tiny(), "inductive"))
    assert all("unlabelled" not in sample for batch in batches(Tiny(), "inductive") for sample in batch)


def test_transductive_training_cannot_tell_them_either_but_knows_padding() -> None:
    changed = Relabelled(Tiny(), UNSEEN_AND_VOID_SWAPPED)
    pairs = zip(spare(changed, "transductive"), spare(Tiny(), "transductive"), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)
    samples = [sample for batch in batches(Tiny(), "transductive") for sample in batch]
    assert all((sample["sem_seg"][sample["unlabelled"]] == 255).all() for sample in samples)
    assert any((~sample["unlabelled"] & (sample["sem_seg"] == 255)).any() for sample in samples)


def test_located_training_tells_them_apart_and_so_leaks() -> None:
    changed, setting = Relabelled(Tiny(), UNSEEN_AND_VOID_SWAPPED), "transductive, unseen located"
    assert not all(torch.equal(a, b) for a, b in zip(spare(changed, setting), spare(Tiny(), setting), strict=True))
    labels = [sample["sem_seg"] for batch in batches(Tiny(), setting) for sample in batch]
    assert set(torch.cat([one.flatten() for one in labels]).tolist()) <= {0, 1, 255}


@pytest.mark.parametrize(
    ("shown", "labelled", "without_unseen"),
    [([0, 255], True, True), ([0, 1], True, False), ([1, 255], False, False), ([2, 4], False, True)],
)
def test_which_images_take_part(shown: list[int], labelled: bool, without_unseen: bool) -> None:
    found = Tiny(ids=np.resize(np.array(shown), (SIDE, SIDE)))
    for rule, takes_part in (("all", True), ("labelled", labelled), ("without unseen", without_unseen)):
        if takes_part:
            assert len(taking_part(found, SPLIT, rule)) == SIZE  # type: ignore[arg-type]
        else:
            with pytest.raises(ValueError, match="no image of part 'train'"):
                taking_part(found, SPLIT, rule)  # type: ignore[arg-type]


class OneEach(Tiny):
    """Picture i shows class i alone."""

    def read(self, part: str, index: int) -> RawSample:
        labelled = super().read(part, index)
        return replace(labelled, labels=np.full_like(labelled.labels, index % len(self.classes)))


@pytest.mark.parametrize(
    ("rule", "kept"), [("labelled", {"0", "3", "5"}), ("without unseen", {"0", "2", "3", "4", "5"})]
)
def test_images_that_do_not_take_part_are_never_drawn(rule: str, kept: set[str]) -> None:
    rules = Protocol.model_validate({"train_images": rule})
    view = TrainLoader(OneEach(), SPLIT, protocol=rules, batch_size=4, seed=0)
    drawn = [sample["image_id"] for batch in view.batches(0, 30) for sample in batch]
    assert set(drawn) == kept and len(view) == len(kept)
    assert {sample["image_id"] for batch in view.initial(99) for sample in batch} == kept


@pytest.mark.parametrize("longest", [0, 10])
def test_scored_images_are_resized_and_their_truth_is_not(longest: int) -> None:
    rules = Protocol(test=EvalTransform(short_side=16, longest=longest))
    sample, truth = list(EvalLoader(Tiny(), SPLIT, protocol=rules))[4]
    assert truth.shape == (SIDE, SIDE + 4) == (sample["height"], sample["width"])
    assert sample["image"].shape == ((3, 7, 10) if longest else (3, 16, 24))


def test_a_part_of_another_size_than_the_split_says_is_refused() -> None:
    split = SPLIT.model_copy(update={"images": {"train": 10582}})
    with pytest.raises(ValueError, match=r"wants 10582 images in part 'train'.*7 are there.*images: {train: 7}"):
        TrainLoader(Tiny(), split, protocol=Protocol(), batch_size=1, seed=0)
