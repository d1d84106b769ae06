"""Randomness that is addressed, not consumed.

Every random draw of the suite is named by its address: (seed, purpose, iteration, slot, ...). The address is hashed
to a key, the key starts a generator, and the generator serves that one draw. So nothing depends on how many workers
there are, on what was drawn before, or on whether the run was interrupted.

numpy's bit generators (not its distributions) promise the same stream on every platform and version, which is why
`KeyedRandom` takes raw bits and does its own integer arithmetic.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

Part = int | str
Item = TypeVar("Item")


def address(*parts: Part) -> int:
    """Hash an address to a 128-bit key; parts keep their type, so 1 and "1" differ."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


def torch_generator(*parts: Part) -> torch.Generator:
    """A CPU generator for the draw at this address."""
    import torch

    return torch.Generator().manual_seed(address(*parts) % 2**63)


def seed_globals(*parts: Part) -> None:
    """Start the global streams of torch, numpy and Python at this address, for code that draws from them."""
    import torch

    key = address(*parts)
    # not torch.manual_seed: for every kind of accelerator that is absent it takes down the call stack, 0.5 ms a call
    torch.default_generator.manual_seed(key % 2**63)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(key % 2**63)
    np.random.seed(key % 2**32)
    random.seed(key)


class KeyedRandom:
    """Integers drawn from the Philox stream of one address: the same on every machine."""

    def __init__(self, *parts: Part) -> None:
        self._bits = np.random.Philox(key=address(*parts))

    def integer(self, low: int, high: int) -> int:
        """One integer in [low, high)."""
        if high <= low:
            raise ValueError(f"no integer lies in [{low}, {high}): give low < high")
        return low + int(self._bits.random_raw()) % (high - low)

    def integers(self, low: int, high: int, *, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Integers in [low, high) of the given shape."""
        if high <= low:
            raise ValueError(f"no integer lies in [{low}, {high}): give low < high")
        raw = np.asarray(self._bits.random_raw(int(np.prod(shape))), dtype=np.uint64)
        return (raw % np.uint64(high - low)).astype(np.int64).reshape(shape) + low

    def pick(self, items: Sequence[Item]) -> Item:
        """One of the items."""
        return items[self.integer(0, len(items))]

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """`count` different items, in random order."""
        if count > len(items):
            raise ValueError(f"cannot draw {count} different items from {len(items)}")
        left = list(items)
        return [left.pop(self.integer(0, len(left))) for _ in range(count)]

    def chance(self, percent: int) -> bool:
        """True in `percent` of 100 cases."""
        return self.integer(0, 100) < percent
