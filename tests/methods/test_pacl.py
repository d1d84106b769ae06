"""PACL: which part of a caption reaches the training."""

from __future__ import annotations

from typing import cast

import pytest

from benchmark.core.types import Batch
from methods.pacl import Pacl
from tests.methods.cases import in_training, subject_of

DEFAULT, REDUCED = "pacl/PACL", "pacl/captions of seen classes"


def _make_batch(*captions: str) -> Batch:
    samples = subject_of(DEFAULT).make_training_batch()
    return [{**sample, "captions": (caption,)} for sample, caption in zip(samples, captions, strict=True)]


def _compute_loss(case: str, *captions: str) -> float:
    return float(in_training(case).losses(_make_batch(*captions))["loss_itc"].detach())


def test_only_whole_captions_depend_on_the_names_of_unseen_classes() -> None:
    losses = {
        case: [_compute_loss(case, f"a ball and a {name}", "a tree on grass") for name in ("cactus", "saguaro")]
        for case in (DEFAULT, REDUCED)
    }
    assert losses[DEFAULT][0] != losses[DEFAULT][1]
    assert losses[REDUCED][0] == losses[REDUCED][1] > 0


def test_images_without_a_seen_class_in_their_caption_are_left_out() -> None:
    assert _compute_loss(REDUCED, "a cactus", "a crown and a cup") == 0
    texts = cast(Pacl, in_training(REDUCED)).choose_texts(_make_batch("a cactus", "a ball"))
    assert texts == ["", "a photo of ball"]


def test_one_of_several_captions_is_drawn_in_each_iteration() -> None:
    method = cast(Pacl, in_training(DEFAULT))
    sample = {**_make_batch("", "")[0], "captions": ("a ball", "a tree")}
    assert set(method.choose_texts([sample] * 20)) == {"a ball", "a tree"}  # type: ignore[list-item]


def test_samples_without_captions_are_refused() -> None:
    batch = _make_batch("a ball", "a tree")
    del batch[1]["captions"]
    with pytest.raises(ValueError, match="sample 'second' has no captions: PACL is trained with captions"):
        in_training(DEFAULT).losses(batch)
