"""A tiny dataset with changes to what a method must not learn from: unseen names, unseen labels, unseen pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmark.contract.point_samples import make_raw_points
from benchmark.contract.samples import make_caption
from benchmark.core.seeding import KeyedRandom
from benchmark.core.split import Split
from benchmark.core.types import get_ignore_label
from benchmark.data.base import ImageRef, RawPoints, RawSample

SIDE, BLOCK, NUM_IMAGES = 32, 4, 4
"""Height and width of an image in pixels, those of the blocks of one label, and the number of images."""


@dataclass(frozen=True)
class TinyDataset:
    """Random images with every class of a split, and void.

    Attributes:
        name: Name of the dataset that it stands for.
        classes: Class names in label order.
        labels: (N, H, W) labels.
        captions: One caption of each image. No change of hidden facts changes them, since they are given in training.
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[Any]
    captions: tuple[str, ...] = ()

    def size(self, subset: str) -> int:
        """Return the number of images."""
        return len(self.labels)

    def read(self, subset: str, index: int) -> RawSample:
        """Return an image (H, W, 3) with its labels (H, W)."""
        image = KeyedRandom("leak image", index).draw_integers(0, 256, shape=(SIDE, SIDE, 3)).astype(np.uint8)
        return RawSample(image, self.labels[index], *self.get_image_ref(subset, index))

    def read_captions(self, subset: str, index: int) -> tuple[str, ...]:
        """Return the caption of an image."""
        return (self.captions[index],)

    def read_points(self, subset: str, index: int) -> RawPoints:
        """Return the points of an image, with the labels of their pixels."""
        return make_raw_points(self.labels[index], name=str(index))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        """Return the names of an image."""
        return ImageRef(str(index), str(index))

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        """Return the labels of the classes in an image: all of them."""
        return frozenset(range(len(self.classes)))

    def fingerprint(self, *subsets: str) -> str:
        """Return an empty text: the data are made here."""
        return ""


@dataclass(frozen=True)
class TrainingData:
    """Split and dataset that a method is trained on."""

    split: Split
    dataset: TinyDataset


def make_training_data(split: Split) -> TrainingData:
    """Return random data for a split of any dataset; the numbers of images that it requires are dropped."""
    count = len(split.classes)
    ignore = get_ignore_label(count)
    blocks = KeyedRandom("leak labels").draw_integers(0, count + 2, shape=(NUM_IMAGES, SIDE // BLOCK, SIDE // BLOCK))
    labels = np.where(blocks < count, blocks, ignore).astype(np.uint8 if ignore <= 255 else np.uint16)
    labels = labels.repeat(BLOCK, axis=1).repeat(BLOCK, axis=2)
    captions = tuple(_describe_labels(image, split.classes) for image in labels)
    dataset = TinyDataset(split.dataset, split.classes, labels, captions)
    return TrainingData(split.model_copy(update={"images": {}}), dataset)


def rename_unseen(data: TrainingData) -> TrainingData:
    """Rename the unseen classes."""
    new = {name: f"renamed {index}" for index, name in enumerate(data.split.unseen)}
    classes = tuple(new.get(name, name) for name in data.split.classes)
    names = {"classes": classes, "unseen": tuple(new.values()), "kinds": {}, "never_unseen": ()}
    renamed = Split.model_validate(data.split.model_dump() | names)
    return TrainingData(renamed, replace(data.dataset, classes=classes))


def permute_unseen(data: TrainingData) -> TrainingData:
    """Give every unseen pixel the label of another unseen class."""
    unseen = _list_unseen_labels(data)
    return _relabel(data, dict(zip(unseen, unseen[1:] + unseen[:1], strict=True)))


def swap_unseen_and_void(data: TrainingData) -> TrainingData:
    """Turn unseen pixels into void, and void pixels into an unseen class."""
    unseen, ignore = _list_unseen_labels(data), get_ignore_label(len(data.dataset.classes))
    return _relabel(data, dict.fromkeys(unseen, ignore) | {ignore: unseen[0]})


Change = Callable[[TrainingData], TrainingData]


def _describe_labels(labels: NDArray[Any], classes: tuple[str, ...]) -> str:
    """Return a caption that names the first classes of a label map (H, W)."""
    return make_caption([classes[label] for label in dict.fromkeys(labels.ravel().tolist()) if label < len(classes)])


def _list_unseen_labels(data: TrainingData) -> list[int]:
    return [data.dataset.classes.index(name) for name in data.split.unseen]


def _relabel(data: TrainingData, new: Mapping[int, int]) -> TrainingData:
    labels = data.dataset.labels
    table = np.arange(get_ignore_label(len(data.dataset.classes)) + 1, dtype=labels.dtype)
    table[list(new)] = list(new.values())
    return replace(data, dataset=replace(data.dataset, labels=table[labels]))
