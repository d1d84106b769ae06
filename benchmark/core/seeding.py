"""Random draws that are addressed by a key instead of consumed from a stream.

Every random draw of the suite has a key: (seed, purpose, iteration, slot, ...). The key is hashed, the hash starts a
generator, and the generator serves that one draw. So no draw depends on the number of workers, on earlier draws, or on
interruptions of the run.

numpy's bit generators, unlike its distributions, promise the same stream on every platform and in every version.
Therefore `KeyedRandom` takes raw bits and does its own integer arithmetic.
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


def hash_rng_key(*parts: Part) -> int:
    """Hash the key of a random draw to 128 bits; the parts keep their type, so 1 and "1" differ."""
    text = "/".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


def torch_generator(*parts: Part) -> torch.Generator:
    """Return a CPU generator for the draw with this key."""
    import torch

    return torch.Generator().manual_seed(hash_rng_key(*parts) % 2**63)


def seed_globals(*parts: Part) -> None:
    """Start the global streams of torch, numpy and Python with this key, for code that draws from them."""
    import torch

    seed = hash_rng_key(*parts)
    # not torch.manual_seed: for every kind of accelerator that is absent it records the call stack, 0.5 ms per call
    torch.default_generator.manual_seed(seed % 2**63)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed % 2**63)
    np.random.seed(seed % 2**32)
    random.seed(seed)


class KeyedRandom:
    """Random integers from the Philox stream of one key: the same on every machine."""

    def __init__(self, *parts: Part) -> None:
        self._bits = np.random.Philox(key=hash_rng_key(*parts))

    def draw_integer(self, low: int, high: int) -> int:
        """Draw an integer in [low, high)."""
        _check_range(low, high)
        return low + int(self._bits.random_raw()) % (high - low)

    def draw_integers(self, low: int, high: int, *, shape: tuple[int, ...]) -> NDArray[np.int64]:
        """Draw an array of integers in [low, high).

        Args:
            low: Smallest possible value.
            high: Bound above the largest possible value.
            shape: Shape of the array.

        Returns:
            `shape` integers.
        """
        _check_range(low, high)
        raw = np.asarray(self._bits.random_raw(int(np.prod(shape))), dtype=np.uint64)
        return (raw % np.uint64(high - low)).astype(np.int64).reshape(shape) + low

    def pick(self, items: Sequence[Item]) -> Item:
        """Draw one of the items."""
        return items[self.draw_integer(0, len(items))]

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """Draw `count` different items, in random order."""
        if count > len(items):
            raise ValueError(f"cannot draw {count} different items from {len(items)}")
        remaining = list(items)
        return [remaining.pop(self.draw_integer(0, len(remaining))) for _ in range(count)]

    def draw_bool(self, percent: int) -> bool:
        """Draw True in `percent` of 100 cases."""
        return self.draw_integer(0, 100) < percent


def _check_range(low: int, high: int) -> None:
    if high <= low:
        raise ValueError(f"no integer lies in [{low}, {high}): give low < high")
