"""Protocol classes: declared traits of a number, ours or published, which decide what it may be compared with.

Two numbers *meet* if they score the same pixels with the same choice of classes. Numbers that meet may still differ in
what the method was given; a table marks such mixtures and never ranks across them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from benchmark.utils.frozen_model import FrozenModel

Targets = Literal[
    "",
    "none",
    "images",
    "captions",
    "tags",
    "points",
    "seen_masks",
    "seen_masks+unseen_names",
    "other_masks",
    "all_masks",
]
"""What a method learns from: the values of `Supervision`, and of published methods also images without targets, masks
of other datasets, and masks of all classes; empty if unknown."""

Setting = Literal["", "inductive", "transductive", "transductive, unseen located", "fully supervised"]
"""Knowledge about unseen classes in training, as in protocols; empty for methods that see no training image of the
dataset, and if unknown."""

Vocabulary = Literal["", "all", "image"]
"""Classes that a method chooses from at test time: all of the dataset, or those in the image (an oracle)."""

TargetImages = Literal["", "none", "unlabeled", "masks"]
"""Images of the test distribution that a method adapts to before the test: none, without their masks, or with them."""

Background = Literal["", "none", "excluded", "class"]
"""Treatment of background: the dataset has none; its pixels are not scored; it is one of the scored classes."""


class ClassKey(NamedTuple):
    """The traits that two numbers must share to be ranked with each other."""

    supervision: str
    setting: str
    vocabulary: str
    target_images: str


class ProtocolClass(FrozenModel):
    """Traits of a number. Empty fields are unknown.

    Attributes:
        supervision: What the method learns from.
        setting: Knowledge about unseen classes in training.
        vocabulary: Classes that the method chooses from at test time.
        target_images: Images of the test distribution that it adapts to.
        mask_votes: Model whose masks vote on the labels of their pixels, such as "SAM 2"; "none" without such a vote.
        background: Treatment of background.
        threshold: Threshold of the background class, in words, such as "per dataset"; empty without such a class.
        backbone: Networks that the prediction is made with, such as "CLIP ViT-B/16".
        extra_models: Pretrained models beside the backbone, such as "DINO ViT-B/8"; none if the backbone is known.
    """

    supervision: Targets = ""
    setting: Setting = ""
    vocabulary: Vocabulary = ""
    target_images: TargetImages = ""
    mask_votes: str = ""
    background: Background = ""
    threshold: str = ""
    backbone: str = ""
    extra_models: tuple[str, ...] = ()

    @property
    def key(self) -> ClassKey:
        """The traits that decide who is ranked with whom; a method without training has no setting."""
        setting = "" if self.supervision in ("none", "tags") else self.setting
        return ClassKey(self.supervision, setting, self.vocabulary, self.target_images)

    def find_obstacle(self, other: ProtocolClass) -> str:
        """Return why two numbers on one split do not meet, in words; empty if they do.

        A trait that is unknown on one side is no obstacle.
        """
        for name, words in (("vocabulary", "vocabulary at test"), ("background", "background")):
            own, theirs = getattr(self, name), getattr(other, name)
            if own and theirs and own != theirs and {own, theirs} != {"none", "excluded"}:
                return f"{words}: {own!r} and {theirs!r}"
        return ""
