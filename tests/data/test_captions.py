"""Captions of training samples: given to methods that are trained with captions, and to no other."""

from __future__ import annotations

import pytest

from benchmark.core.method import Supervision
from benchmark.core.protocol import Protocol
from benchmark.core.split import load_split
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import TrainLoader
from benchmark.data.toybox.dataset import ToyBox
from tests.data.tiny_dataset import PLAIN, SPLIT, Tiny

TOYBOX = load_split("toybox")


def _load(supervision: Supervision) -> TrainLoader:
    dataset = open_dataset("toybox")
    return TrainLoader(dataset, TOYBOX, protocol=Protocol(), batch_size=2, seed=0, supervision=supervision)


def test_only_the_supervision_captions_includes_captions() -> None:
    assert [kind.value for kind in Supervision if kind.includes_captions] == ["captions"]


def test_samples_have_captions_only_if_they_are_asked_for() -> None:
    assert "captions" not in next(_load(Supervision.SEEN_MASKS).batches(0, 1))[0]


@pytest.mark.parametrize("kind", ["batches", "init_batches"])
def test_captions_are_those_of_the_image(kind: str) -> None:
    loader = _load(Supervision.CAPTIONS)
    for sample in next(loader.batches(0, 1) if kind == "batches" else loader.init_batches(2)):
        assert sample["captions"] == (ToyBox().caption("train", int(sample["image_id"])),)


def test_a_dataset_without_captions_is_refused_with_advice() -> None:
    with pytest.raises(
        ValueError, match=r"dataset 'tiny' has no captions.*use a dataset with captions, such as toybox"
    ):
        TrainLoader(Tiny(), SPLIT, protocol=PLAIN, batch_size=1, seed=0, supervision=Supervision.CAPTIONS)
