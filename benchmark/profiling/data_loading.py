"""How fast training images arrive, beside the least that any loader must do: decoding the same files with Pillow."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from benchmark.core.protocol import Protocol
from benchmark.core.split import Split
from benchmark.data.folders.dataset import FolderDataset
from benchmark.data.loader import TrainLoader
from benchmark.data.samplers import EndlessOrder

ROUNDS = 5


@dataclass(frozen=True)
class Speed:
    """Training images (picture and mask) a second, on the same cores.

    Attributes:
        bare: decoded by Pillow, and nothing else.
        loaded: as batches that a method could be trained on: decoded, checked, labelled, augmented, collated.
        rounds: the ratio in each round; both are measured in turn.
    """

    bare: float
    loaded: float
    rounds: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """loaded / bare, median over the rounds."""
        return float(np.median(self.rounds))


@dataclass(frozen=True)
class _Decoding(TorchDataset[int]):
    """Pictures and masks decoded to arrays and thrown away."""

    paths: Sequence[tuple[Path, Path]]

    def __getitem__(self, index: int) -> int:
        picture, mask = self.paths[index]
        with Image.open(picture) as image:
            pixels = np.asarray(image.convert("RGB"))
        with Image.open(mask) as image:
            labels = np.asarray(image)
        return int(pixels.size + labels.size)


def measure(
    dataset: FolderDataset, split: Split, *, protocol: Protocol, images: int, batch_size: int = 16, workers: int = 0
) -> Speed:
    """Time both on the same images, in the same order and in turn.

    Args:
        dataset: that of the split.
        split: whose training part is read.
        protocol: what is done to the images.
        images: a round, rounded to whole batches.
        batch_size: images a batch.
        workers: processes that read, for both; 0 reads in this one.
    """
    view = TrainLoader(dataset, split, protocol=protocol, batch_size=batch_size, seed=0, workers=workers)
    order = EndlessOrder(dataset.size(split.train), seed=0)
    steps = max(1, images // batch_size)
    decoding = _Decoding([dataset.paths(split.train, index) for index in range(dataset.size(split.train))])
    times: list[tuple[float, float]] = []
    for start in range(0, (ROUNDS + 1) * steps, steps):
        keys = [[key.image for key in order.batch(at, batch_size=batch_size)] for at in range(start, start + steps)]
        bare = _seconds(DataLoader(decoding, batch_sampler=keys, num_workers=workers, collate_fn=sum))
        times.append((bare, _seconds(view.batches(start, start + steps))))
    counted, done = times[1:], steps * batch_size  # the first round fills the caches
    rates = [done * len(counted) / sum(pair[at] for pair in counted) for at in (0, 1)]
    return Speed(rates[0], rates[1], tuple(bare / loaded for bare, loaded in counted))


def _seconds(items: Iterable[object]) -> float:
    begun = time.perf_counter()
    for _ in items:
        pass
    return time.perf_counter() - begun
