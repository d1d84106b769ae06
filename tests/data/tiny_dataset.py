"""A dataset of a few small images."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.core.protocol import Protocol, TrainTransform
from benchmark.core.split import Split
from benchmark.core.types import Batch
from benchmark.data.base import ImageRef, RawSample
from benchmark.data.loader import TrainLoader

NAMES = ("cat", "dog", "cow", "owl", "bee")
SPLIT = Split(name="tiny", dataset="tiny", classes=("owl", "dog", "cat"), unseen=("dog",))
"""Classes in another order than in the dataset, and without cow and bee."""

SIZE, SIDE = 7, 8
CROPS = Protocol(train=TrainTransform(crop=6))
PLAIN = Protocol()


@dataclass(frozen=True)
class Tiny:
    """`SIZE` images in train and test; image i is (SIDE, SIDE + i)."""

    name: str = "tiny"
    classes: tuple[str, ...] = NAMES
    labels: NDArray[np.integer] | None = None

    def size(self, subset: str) -> int:
        return {"train": SIZE, "test": SIZE, "none": 0}[subset]

    def read(self, subset: str, index: int) -> RawSample:
        shape = (SIDE, SIDE + index)
        noise = np.random.default_rng([index, len(subset)])
        labels = noise.choice([0, 1, 2, 3, 4, 255], shape) if self.labels is None else self.labels
        image = noise.integers(0, 256, (*shape, 3), dtype=np.uint8)
        return RawSample(image, labels.astype(np.int32), *self.get_image_ref(subset, index))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        return ImageRef(f"{index}", f"{subset}/{index}.png")

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        return frozenset(np.unique(self.read(subset, index).labels).tolist()) - {255}

    def fingerprint(self, *subsets: str) -> str:
        return "tiny"


@dataclass(frozen=True)
class Relabeled:
    """The dataset with other labels: label i becomes `labels[i]`."""

    inner: Tiny
    labels: tuple[int, ...]
    name: str = "tiny"
    classes: tuple[str, ...] = NAMES

    def size(self, subset: str) -> int:
        return self.inner.size(subset)

    def read(self, subset: str, index: int) -> RawSample:
        raw = self.inner.read(subset, index)
        table = np.array([*self.labels, *range(len(self.labels), 256)])
        return replace(raw, labels=table[raw.labels])

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        return self.inner.get_image_ref(subset, index)

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        return frozenset(np.unique(self.read(subset, index).labels).tolist()) - {255}

    def fingerprint(self, *subsets: str) -> str:
        return self.inner.fingerprint(*subsets)


def make_train_loader(
    dataset: Tiny | Relabeled | None = None, *, seed: int = 0, protocol: Protocol = CROPS, workers: int = 0
) -> TrainLoader:
    return TrainLoader(dataset or Tiny(), SPLIT, protocol=protocol, batch_size=3, seed=seed, workers=workers)


def same(first: list[Batch], second: list[Batch]) -> bool:
    """Return whether two lists of batches agree in every key and every bit."""
    flat = [[sample for batch in batches for sample in batch] for batches in (first, second)]
    return len(flat[0]) == len(flat[1]) and all(
        a["image"].equal(b["image"])
        and a["sem_seg"].equal(b["sem_seg"])
        and a.get("valid_size") == b.get("valid_size")
        and [a["height"], a["width"], a["file_name"], a["image_id"]]
        == [b["height"], b["width"], b["file_name"], b["image_id"]]
        for a, b in zip(*flat, strict=True)
    )
