"""Speed of training data loading, beside decoding the same files with Pillow and the pipelines of other frameworks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
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
from benchmark.data.samplers import EndlessOrder, SampleKey

ROUNDS = 5
BARE, OURS = "bare Pillow", "our batches"

ReadPair = Callable[[Path, Path, int], object]
"""Function that reads an image and its mask, and augments them, if it does, with the draws of a number."""


@dataclass(frozen=True)
class LoadingSpeed:
    """Training images with masks per second, on the same cores.

    Attributes:
        rates: Images per second in each round, by pipeline, those of `BARE` included. All are measured alternately; a
            second is one of processor time without worker processes, and one that passes with them.
    """

    rates: Mapping[str, tuple[float, ...]]

    def compute_rate(self, name: str) -> float:
        """Return the median over the rounds of the images per second of a pipeline."""
        return float(np.median(self.rates[name]))

    def compute_ratios(self, name: str) -> tuple[float, ...]:
        """Return the images per second of a pipeline in each round over those of bare decoding."""
        return tuple(rate / bare for rate, bare in zip(self.rates[name], self.rates[BARE], strict=True))


@dataclass(frozen=True)
class _Pairs(TorchDataset[object]):
    """Samples that a pipeline makes of files; used without worker processes, or with forked ones."""

    paths: Sequence[tuple[Path, Path]]
    read: ReadPair

    def __getitem__(self, key: SampleKey) -> object:
        return self.read(*self.paths[key.image], hash(key) % 2**31)


def decode_bare(image_path: Path, mask_path: Path, number: int) -> int:
    """Decode an image and its mask to arrays with Pillow, and discard them."""
    with Image.open(image_path) as image:
        pixels = np.asarray(image.convert("RGB"))
    with Image.open(mask_path) as mask:
        labels = np.asarray(mask)
    return int(pixels.size + labels.size)


def measure_loading_speed(
    dataset: FolderDataset,
    split: Split,
    *,
    protocol: Protocol,
    images: int,
    peers: Mapping[str, ReadPair] | None = None,
    batch_size: int = 16,
    workers: int = 0,
) -> LoadingSpeed:
    """Measure data loading, bare decoding and the pipelines of peers, on the same images in the same order.

    Args:
        dataset: Dataset of the split.
        split: Split whose training subset is read.
        protocol: Protocol with the transforms.
        images: Images per round, rounded down to whole batches.
        peers: Further pipelines by name.
        batch_size: Images per batch.
        workers: Number of worker processes of each; 0 reads in this process.
    """
    loader = TrainLoader(dataset, split, protocol=protocol, batch_size=batch_size, seed=0, workers=workers)
    order = EndlessOrder(dataset.size(split.train), seed=0)
    steps = max(1, images // batch_size)
    paths = [dataset.paths(split.train, index) for index in range(dataset.size(split.train))]
    readers: dict[str, ReadPair] = {BARE: decode_bare, **(peers or {})}
    rates: dict[str, list[float]] = {name: [] for name in (*readers, OURS)}
    clock = time.perf_counter if workers else time.process_time

    def measure_rate(items: Iterable[object]) -> float:
        begin = clock()
        for _ in items:
            pass
        return steps * batch_size / (clock() - begin)

    for start in range(0, (ROUNDS + 1) * steps, steps):
        keys = [order.batch(at, batch_size=batch_size) for at in range(start, start + steps)]
        for name, read in readers.items():
            pairs = _Pairs(paths, read)
            rates[name].append(
                measure_rate(DataLoader(pairs, batch_sampler=keys, num_workers=workers, collate_fn=list))
            )
        rates[OURS].append(measure_rate(loader.batches(start, start + steps)))
    return LoadingSpeed({name: tuple(values[1:]) for name, values in rates.items()})  # the first fills the caches
