"""Order of the training images: an infinite sequence in which any position can be computed directly.

An epoch is a permutation drawn from (seed, "order", epoch); position p is in epoch p // size, at offset p % size.
Batch i holds positions i·B ... (i+1)·B - 1, so a resumed run continues where it stopped. torch's samplers are not used
because they consume a stream that cannot be entered in the middle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch

from benchmark.core.seeding import torch_generator


class SampleKey(NamedTuple):
    """Key of a training sample.

    Attributes:
        iteration: Training iteration.
        slot: Position in the batch.
        image: Index of the image in the subset.
    """

    iteration: int
    slot: int
    image: int


class EndlessOrder:
    """Every image once per epoch, each epoch in its own order, without end.

    Args:
        size: Number of images, at least 1.
        seed: Seed of the run.
    """

    def __init__(self, size: int, *, seed: int) -> None:
        if size < 1:
            raise ValueError(f"an order needs at least 1 image, got {size}")
        self._size = size
        self._seed = seed

    def index(self, position: int) -> int:
        """Return the image at a position, counted from 0."""
        epoch, offset = divmod(position, self._size)
        return _draw_permutation(self._size, self._seed, epoch)[offset]

    def batch(self, iteration: int, *, batch_size: int) -> list[SampleKey]:
        """Return the keys of one batch, in slot order; a batch may reach into the next epoch."""
        first = iteration * batch_size
        return [SampleKey(iteration, slot, self.index(first + slot)) for slot in range(batch_size)]


@lru_cache(maxsize=8)
def _draw_permutation(size: int, seed: int, epoch: int) -> list[int]:
    order: list[int] = torch.randperm(size, generator=torch_generator(seed, "order", epoch)).tolist()
    return order
