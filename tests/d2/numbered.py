"""Dataset of 300 classes without files: image i has class i in its left column and class 299 - i elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmark.data.base import ImageRef, RawSample

COUNT, HEIGHT = 300, 4


@dataclass(frozen=True)
class Numbered:
    """Dataset whose subsets are identical, with a few images each; image i is i + 5 pixels wide."""

    name: str = "numbered"
    classes: tuple[str, ...] = tuple(f"class {index}" for index in range(COUNT))
    images: int = 3

    def size(self, subset: str) -> int:
        return self.images

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        return ImageRef(f"{subset}-{index}", f"numbered://{subset}/{index}")

    def read(self, subset: str, index: int) -> RawSample:
        labels = np.full((HEIGHT, index + 5), COUNT - 1 - index, dtype=np.uint16)
        labels[:, 0] = index
        image = np.random.default_rng(index).integers(0, 256, (*labels.shape, 3), dtype=np.uint8)
        return RawSample(image, labels, *self.get_image_ref(subset, index))

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        return frozenset({index, COUNT - 1 - index})

    def fingerprint(self, *subsets: str) -> str:
        return "numbered"


def write_split(folder: Path, *, classes: int = COUNT, unseen: int = 1, protocol: str = "plain") -> str:
    """Write a split of the first classes, the last of which are unseen, and return its path."""
    names = [f"class {index}" for index in range(classes)]
    path = folder / "counted.yaml"
    path.write_text(f"dataset: numbered\nclasses: {names}\nunseen: {names[-unseen:]}\nprotocol: {protocol}\n")
    return str(path)
