"""What `Recipe.build` may know about a split."""

from __future__ import annotations

import copy

import pytest

from benchmark.core.method import Supervision
from benchmark.core.prompts import Prompts
from benchmark.core.split import Split
from benchmark.core.train_split import WithheldNamesError, make_train_split

SPLIT = Split(
    name="s",
    dataset="d",
    classes=("sky", "cat", "tree", "dog"),
    unseen=("dog", "cat"),
    prompts=Prompts(templates=("{}",), aliases={"sky": "blue sky", "cat": "house cat"}),
)
WITHHELD = make_train_split(SPLIT, withheld_by="seen_masks")


@pytest.mark.parametrize("attribute", ["unseen", "classes", "is_seen"])
def test_unseen_names_are_refused_with_the_supervision_as_the_reason(attribute: str) -> None:
    with pytest.raises(WithheldNamesError, match=rf"split.{attribute} .*'seen_masks' must not know: use split.seen"):
        getattr(WITHHELD, attribute)


def test_nothing_is_withheld_from_a_supervision_with_unseen_names() -> None:
    split = make_train_split(SPLIT)
    assert (split.unseen, split.classes, split.is_seen) == (SPLIT.unseen, SPLIT.classes, (True, False, True, False))


def test_no_text_of_the_view_holds_an_unseen_name() -> None:
    texts = f"{WITHHELD!r} {WITHHELD.seen} {WITHHELD.prompts.aliases} {WITHHELD.prompts.templates}"
    assert "sky" in texts and not [name for name in SPLIT.unseen if name in texts]


def test_the_texts_of_a_class_are_given_by_its_name() -> None:
    assert WITHHELD.prompts.texts("cat") == ("house cat",) == copy.deepcopy(WITHHELD).prompts.texts("cat")
    assert WITHHELD.prompts.aliases == {"sky": "blue sky"}


def test_partners_exchange_within_their_side_and_strangers_keep_their_name() -> None:
    get_partner = WITHHELD.draw_partners("key", 0)
    assert {name: get_partner(name) for name in (*SPLIT.classes, "sea")} == {
        "sky": "tree",
        "tree": "sky",
        "cat": "dog",
        "dog": "cat",
        "sea": "sea",
    }


def test_only_supervision_of_all_classes_includes_unseen_names() -> None:
    kinds = [kind.value for kind in Supervision if kind.includes_unseen_names]
    assert kinds == ["tags", "seen_masks+unseen_names", "points"]


def test_the_view_has_the_public_facts_of_the_split() -> None:
    assert (WITHHELD.name, WITHHELD.dataset, WITHHELD.background) == ("s", "d", "none")
    assert (WITHHELD.seen, WITHHELD.num_classes) == (("sky", "tree"), 4)
