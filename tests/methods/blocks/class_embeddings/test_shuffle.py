"""Class embeddings assigned to wrong classes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch

from benchmark.core.split import Split
from benchmark.core.train_split import make_train_split
from benchmark.planning.method_setup import check_parts
from methods.blocks.class_embeddings import (
    ShuffleConfig,
    TextEncoderEmbeddings,
    build_class_embeddings,
    shuffle_class_embeddings,
)
from methods.blocks.class_embeddings.embedding_table import EmbeddingTable
from methods.blocks.toy import TOY_CLIP_CONFIG
from methods.spnet import SpNetConfig
from tests.methods.blocks.class_embeddings.vectors import NAMES, SPLIT

VIEW = make_train_split(SPLIT)
ONE_HOT = EmbeddingTable("x.npy", SPLIT.classes, torch.eye(len(SPLIT.classes)))


def _partners(split: Split, names: Sequence[str], *, seed: int = 0) -> list[str]:
    """Return the class whose embedding each name gets."""
    table = EmbeddingTable("x.npy", split.classes, torch.eye(len(split.classes)))
    view = make_train_split(split, withheld_by="seen_masks")
    vectors = shuffle_class_embeddings(table, split=view, config=ShuffleConfig(seed=seed)).embed(names)
    return [split.classes[index] for index in vectors.argmax(dim=1).tolist()]


def test_no_class_keeps_its_embedding_and_none_is_lost() -> None:
    for seed in range(5):
        partners = _partners(SPLIT, SPLIT.classes, seed=seed)
        assert sorted(partners) == sorted(SPLIT.classes)
        assert not [name for name, partner in zip(SPLIT.classes, partners, strict=True) if name == partner]


def test_different_seeds_give_different_assignments() -> None:
    assert _partners(SPLIT, SPLIT.classes, seed=0) != _partners(SPLIT, SPLIT.classes, seed=1)


def test_embeddings_shuffled_at_evaluation_are_correct_for_the_vocabulary_of_training() -> None:
    late = shuffle_class_embeddings(ONE_HOT, split=VIEW, config=ShuffleConfig(begin="evaluation"))
    always = shuffle_class_embeddings(ONE_HOT, split=VIEW, config=ShuffleConfig())
    assert torch.equal(late.embed(SPLIT.seen), ONE_HOT.embed(SPLIT.seen))
    assert torch.equal(late.embed(SPLIT.classes), always.embed(SPLIT.classes))
    assert not torch.equal(late.embed(SPLIT.classes), ONE_HOT.embed(SPLIT.classes))


def test_assignments_are_the_same_for_every_vocabulary() -> None:
    partners = dict(zip(SPLIT.classes, _partners(SPLIT, SPLIT.classes), strict=True))
    assert _partners(SPLIT, SPLIT.seen) == [partners[name] for name in SPLIT.seen]
    assert _partners(SPLIT, ("cup", "sky")) == [partners["cup"], partners["sky"]]


def test_seen_classes_exchange_embeddings_independently_of_unseen_names() -> None:
    names = {name: f"renamed {index}" for index, name in enumerate(SPLIT.unseen)}
    classes = [names.get(name, name) for name in SPLIT.classes]
    changes = {"classes": classes, "unseen": list(names.values()), "kinds": {}, "never_unseen": ()}
    renamed = Split(**SPLIT.model_dump() | changes)
    assert set(_partners(SPLIT, SPLIT.seen)) == set(SPLIT.seen)
    assert _partners(SPLIT, SPLIT.seen) == _partners(renamed, SPLIT.seen)


def test_a_single_unseen_class_cannot_be_shuffled() -> None:
    split = Split(name="s", dataset="toybox", classes=NAMES, unseen=("wall",))
    with pytest.raises(ValueError, match="one unseen class, 'wall'"):
        check_parts(SpNetConfig(shuffle=ShuffleConfig()), split)


def test_shuffling_at_evaluation_needs_unseen_classes() -> None:
    split = Split(name="s", dataset="toybox", classes=NAMES, unseen=())
    with pytest.raises(ValueError, match=r"set shuffle\.begin to training"):
        check_parts(SpNetConfig(shuffle=ShuffleConfig(begin="evaluation")), split)


def test_a_name_outside_the_split_keeps_its_embedding() -> None:
    plain = build_class_embeddings(TextEncoderEmbeddings(), clip_config=TOY_CLIP_CONFIG, split=VIEW)
    shuffled = shuffle_class_embeddings(plain, split=VIEW, config=ShuffleConfig())
    assert torch.equal(shuffled.embed(["a thing"]), plain.embed(["a thing"]))
