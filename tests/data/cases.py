"""A data set of a few pictures whose every pixel says where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.core.protocol import Protocol, TrainGeometry
from benchmark.core.split import Split
from benchmark.core.types import Batch
from benchmark.data.base import Address, RawSample
from benchmark.data.loader import TrainLoader

NAMES = ("cat", "dog", "cow", "owl", "bee")
SPLIT = Split(name="tiny", dataset="tiny", classes=("owl", "dog", "cat"), unseen=("dog",))
"""In another order than the data set's, and without cow and bee."""

SIZE, SIDE = 7, 8
CROPS = Protocol(train=TrainGeometry(crop=6))
PLAIN = Protocol()


@dataclass(frozen=True)
class Tiny:
    """`SIZE` pictures in train and test; picture i is (SIDE, SIDE + i)."""

    name: str = "tiny"
    classes: tuple[str, ...] = NAMES
    ids: NDArray[np.integer] | None = None

    def size(self, part: str) -> int:
        return {"train": SIZE, "test": SIZE, "none": 0}[part]

    def read(self, part: str, index: int) -> RawSample:
        shape = (SIDE, SIDE + index)
        noise = np.random.default_rng([index, len(part)])
        labels = noise.choice([0, 1, 2, 3, 4, 255], shape) if self.ids is None else self.ids
        image = noise.integers(0, 256, (*shape, 3), dtype=np.uint8)
        return RawSample(image, labels.astype(np.int32), *self.address(part, index))

    def address(self, part: str, index: int) -> Address:
        return Address(f"{index}", f"{part}/{index}.png")

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        return frozenset(np.unique(self.read(part, index).labels).tolist()) - {255}

    def fingerprint(self, *parts: str) -> str:
        return "tiny"


@dataclass(frozen=True)
class Relabelled:
    """A data set with other ids: id i becomes `ids[i]`."""

    inner: Tiny
    ids: tuple[int, ...]
    name: str = "tiny"
    classes: tuple[str, ...] = NAMES

    def size(self, part: str) -> int:
        return self.inner.size(part)

    def read(self, part: str, index: int) -> RawSample:
        labelled = self.inner.read(part, index)
        table = np.array([*self.ids, *range(len(self.ids), 256)])
        return replace(labelled, labels=table[labelled.labels])

    def address(self, part: str, index: int) -> Address:
        return self.inner.address(part, index)

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        return frozenset(np.unique(self.read(part, index).labels).tolist()) - {255}

    def fingerprint(self, *parts: str) -> str:
        return self.inner.fingerprint(*parts)


def train_view(
    dataset: Tiny | Relabelled | None = None, *, seed: int = 0, protocol: Protocol = CROPS, workers: int = 0
) -> TrainLoader:
    return TrainLoader(dataset or Tiny(), SPLIT, protocol=protocol, batch_size=3, seed=seed, workers=workers)


def same(first: list[Batch], second: list[Batch]) -> bool:
    """Whether two lists of batches agree in every key and every bit."""
    flat = [[sample for batch in batches for sample in batch] for batches in (first, second)]
    return len(flat[0]) == len(flat[1]) and all(
        one["image"].equal(other["image"])
        and one["sem_seg"].equal(other["sem_seg"])
        and [one["height"], one["width"], one["file_name"], one["image_id"]]
        == [other["height"], other["width"], other["file_name"], other["image_id"]]
        for one, other in zip(*flat, strict=True)
    )
