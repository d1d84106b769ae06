"""What a data set is to the rest of the suite: named parts of labelled images, in one vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class Address(NamedTuple):
    """What an image is called.

    Attributes:
        image_id: unique within the part.
        file_name: a path, or the address in a procedural world.
    """

    image_id: str
    file_name: str


@dataclass(frozen=True)
class RawSample:
    """One image as it lies in the data set, before any split.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) integers, an index into the data set's K classes or `benchmark.core.types.ignore_label(K)`.
        image_id: unique within the part.
        file_name: a path, or the address in a procedural world.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.integer]
    image_id: str
    file_name: str


class Dataset(Protocol):
    """RawSample images by part and index."""

    @property
    def name(self) -> str:
        """In the catalog."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in label order."""

    def size(self, part: str) -> int:
        """How many images a part has. Raises KeyError for an unknown part, naming those there are."""

    def read(self, part: str, index: int) -> RawSample:
        """One image. Raises ValueError naming the file where it is missing or broken."""

    def address(self, part: str, index: int) -> Address:
        """What an image is called, without reading it. Raises KeyError or IndexError for one that is not there."""

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        """Which classes an image shows, as indices into `classes`. Raises like `read`."""

    def fingerprint(self, *parts: str) -> str:
        """SHA-256 hex of the content of some parts, of all where none is named: the same wherever the same lies."""
