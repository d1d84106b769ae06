"""Which image is seen when: an infinite order in which every position has an address.

An epoch is a permutation drawn from (seed, "order", epoch); position p lies in epoch p // size, at offset p % size.
Batch i holds positions i·B ... (i+1)·B - 1, so any batch can be named without walking there: a resumed run reads on
where it stopped. Ours, not torch's samplers: those consume a stream that cannot be entered in the middle.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch

from benchmark.core.seeding import torch_generator


class Key(NamedTuple):
    """The address of one image in training: which iteration, which slot of the batch, which image of the part."""

    iteration: int
    slot: int
    image: int


class EndlessOrder:
    """Every image once an epoch, each epoch in its own order, without end.

    Args:
        size: images in the part, at least 1.
        seed: of the run.
    """

    def __init__(self, size: int, *, seed: int) -> None:
        if size < 1:
            raise ValueError(f"an order needs at least 1 image, got {size}")
        self._size = size
        self._seed = seed

    def index(self, position: int) -> int:
        """The image at a position from 0."""
        epoch, offset = divmod(position, self._size)
        return _permutation(self._size, self._seed, epoch)[offset]

    def batch(self, iteration: int, *, batch_size: int) -> list[Key]:
        """The keys of one batch, in slot order; it may reach into the next epoch."""
        first = iteration * batch_size
        return [Key(iteration, slot, self.index(first + slot)) for slot in range(batch_size)]


@lru_cache(maxsize=8)
def _permutation(size: int, seed: int, epoch: int) -> list[int]:
    order: list[int] = torch.randperm(size, generator=torch_generator(seed, "order", epoch)).tolist()
    return order
