"""Speed of training data loading, compared with decoding the same files with Pillow."""

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
class LoadingSpeed:
    """Training images with masks per second, on the same cores.

    Attributes:
        bare: Images per second that Pillow decodes.
        loaded: Images per second in training batches: decoded, checked, labeled, augmented and collated.
        rounds: Ratio of both in each round; they are measured alternately.
    """

    bare: float
    loaded: float
    rounds: tuple[float, ...]

    @property
    def ratio(self) -> float:
        """Median over the rounds of loaded / bare."""
        return float(np.median(self.rounds))


@dataclass(frozen=True)
class _DecodingOnly(TorchDataset[int]):
    """Dataset that decodes images and masks to arrays and discards them."""

    paths: Sequence[tuple[Path, Path]]

    def __getitem__(self, index: int) -> int:
        image_path, mask_path = self.paths[index]
        with Image.open(image_path) as image:
            pixels = np.asarray(image.convert("RGB"))
        with Image.open(mask_path) as mask:
            labels = np.asarray(mask)
        return int(pixels.size + labels.size)


def measure_loading_speed(
    dataset: FolderDataset, split: Split, *, protocol: Protocol, images: int, batch_size: int = 16, workers: int = 0
) -> LoadingSpeed:
    """Measure data loading and bare decoding alternately, on the same images in the same order.

    Args:
        dataset: Dataset of the split.
        split: Split whose training subset is read.
        protocol: Protocol with the transforms.
        images: Images per round, rounded down to whole batches.
        batch_size: Images per batch.
        workers: Number of worker processes of either; 0 reads in this process.
    """
    loader = TrainLoader(dataset, split, protocol=protocol, batch_size=batch_size, seed=0, workers=workers)
    order = EndlessOrder(dataset.size(split.train), seed=0)
    steps = max(1, images // batch_size)
    decoding = _DecodingOnly([dataset.paths(split.train, index) for index in range(dataset.size(split.train))])
    times: list[tuple[float, float]] = []
    for start in range(0, (ROUNDS + 1) * steps, steps):
        keys = [[key.image for key in order.batch(at, batch_size=batch_size)] for at in range(start, start + steps)]
        bare = _time_iteration(DataLoader(decoding, batch_sampler=keys, num_workers=workers, collate_fn=sum))
        times.append((bare, _time_iteration(loader.batches(start, start + steps))))
    timed = times[1:]  # the first round fills the caches
    count = steps * batch_size * len(timed)
    rates = [count / sum(seconds) for seconds in zip(*timed, strict=True)]
    return LoadingSpeed(rates[0], rates[1], tuple(bare / loaded for bare, loaded in timed))


def _time_iteration(items: Iterable[object]) -> float:
    begin = time.perf_counter()
    for _ in items:
        pass
    return time.perf_counter() - begin
