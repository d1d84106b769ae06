"""A world of 300 classes without files: picture i shows class i in its left column and class 299 - i elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.data.base import Address, RawSample

COUNT, HEIGHT = 300, 4


@dataclass(frozen=True)
class Numbered:
    """Its parts are alike, with a few pictures each; picture i is i + 5 wide."""

    name: str = "numbered"
    classes: tuple[str, ...] = tuple(f"class {index}" for index in range(COUNT))
    pictures: int = 3

    def size(self, part: str) -> int:
        return self.pictures

    def address(self, part: str, index: int) -> Address:
        return Address(f"{part}-{index}", f"numbered://{part}/{index}")

    def read(self, part: str, index: int) -> RawSample:
        labels = np.full((HEIGHT, index + 5), COUNT - 1 - index, dtype=np.uint16)
        labels[:, 0] = index
        image = np.random.default_rng(index).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
        return RawSample(image, labels, *self.address(part, index))

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        return frozenset({index, COUNT - 1 - index})

    def fingerprint(self, *parts: str) -> str:
        return "numbered"


def split_file(folder: Path, *, classes: int = COUNT, unseen: int = 1, protocol: str = "plain") -> str:
    """A split of the first classes, the last of which are unseen; its path."""
    names = [f"class {index}" for index in range(classes)]
    path = folder / "counted.yaml"
    path.write_text(f"dataset: numbered\nclasses: {names}\nunseen: {names[-unseen:]}\nprotocol: {protocol}\n")
    return str(path)
