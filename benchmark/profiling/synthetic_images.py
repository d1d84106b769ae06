"""Images of noise in place of a dataset that is not on this machine: as large, with the classes of a split."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmark.core.split import Split
from benchmark.data.base import ImageRef, RawSample

SIZES = {"voc12": (375, 500), "pascal_context": (375, 500), "ade20k_150": (512, 683), "ade20k_847": (512, 683)}
"""Typical height and width of the images of a dataset."""
OTHER_SIZE = (480, 640)
"""Typical size of the images of COCO."""
BLOCK = 64
"""Side of the squares of one class in pixels."""


@dataclass(frozen=True)
class SyntheticImages:
    """Dataset without files, with captions; see `benchmark.data.base.Dataset`.

    Attributes:
        name: Name of the dataset that it stands for.
        classes: Class names in label order.
        height: Height of the images in pixels.
        width: Width of the images in pixels.
        count: Number of images in every subset.
    """

    name: str
    classes: tuple[str, ...]
    height: int
    width: int
    count: int = 64

    def size(self, subset: str) -> int:
        """Return the number of images in a subset."""
        return self.count

    def read(self, subset: str, index: int) -> RawSample:
        """Return an image of noise with labels in squares: image (H, W, 3) bytes, labels (H, W)."""
        generator = np.random.default_rng(index)
        image = generator.integers(0, 256, (self.height, self.width, 3), dtype=np.uint8)
        blocks = generator.integers(0, len(self.classes), (-(-self.height // BLOCK), -(-self.width // BLOCK)))
        labels = blocks.repeat(BLOCK, axis=0).repeat(BLOCK, axis=1)[: self.height, : self.width]
        return RawSample(image, labels, *self.get_image_ref(subset, index))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        """Return the name of an image, twice."""
        name = f"synthetic-{subset}-{index}"
        return ImageRef(name, name)

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        """Return the classes that an image shows."""
        return frozenset(np.unique(self.read(subset, index).labels).tolist())

    def read_captions(self, subset: str, index: int) -> tuple[str, ...]:
        """Return a caption that names a class."""
        return (f"a photo of a {self.classes[index % len(self.classes)]}",)

    def fingerprint(self, *subsets: str) -> str:
        """Return a text that no real data have."""
        return f"synthetic {self.height} x {self.width}"


def make_synthetic_images(split: Split) -> SyntheticImages:
    """Make images as large as those of the dataset of a split typically are."""
    height, width = SIZES.get(split.dataset, OTHER_SIZE)
    return SyntheticImages(split.dataset, split.classes, height, width)
