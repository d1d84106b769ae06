"""Captions that are reduced to seen classes."""

from __future__ import annotations

import pytest

from methods.blocks.pacl import describe_seen

SEEN = ("dog", "hot dog", "wall-concrete", "tree")


@pytest.mark.parametrize(
    ("caption", "text"),
    [
        ("A Dog under two trees", "a photo of dog and tree"),
        ("a tree, a dog and a tree", "a photo of tree and dog"),
        ("a hot dog on a plate", "a photo of hot dog"),
        ("a wall-concrete next to the street", "a photo of wall-concrete"),
        ("a dogged zebra in the streets", ""),
        ("", ""),
    ],
)
def test_a_caption_keeps_only_whole_names_of_seen_classes(caption: str, text: str) -> None:
    assert describe_seen(caption, SEEN) == text


def test_nothing_but_seen_names_reaches_the_text() -> None:
    texts = {
        describe_seen(f"a small dog beside a {unseen}", SEEN) for unseen in ("zebra", "giraffe", "street tree-house")
    }
    assert texts == {"a photo of dog", "a photo of dog and tree"}
