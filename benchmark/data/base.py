"""The dataset interface: named subsets of labeled images with one class vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray


class ImageRef(NamedTuple):
    """Identity of an image in a dataset.

    Attributes:
        image_id: Id, unique in the subset.
        file_name: Path of the image, or its URL in a procedural dataset.
    """

    image_id: str
    file_name: str


@dataclass(frozen=True)
class RawSample:
    """An image with the labels of its dataset, before any split is applied.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) integers, an index into the dataset's K classes or `benchmark.core.types.get_ignore_label(K)`.
        image_id: Id, unique in the subset.
        file_name: Path of the image, or its URL in a procedural dataset.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.integer]
    image_id: str
    file_name: str


class Dataset(Protocol):
    """Labeled images by subset and index."""

    @property
    def name(self) -> str:
        """Name in the catalog."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names in label order."""

    def size(self, subset: str) -> int:
        """Return the number of images in a subset.

        Raises:
            KeyError: The subset is unknown; the message lists the subsets.
        """

    def read(self, subset: str, index: int) -> RawSample:
        """Read one image and its labels.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken; the message names the file.
        """

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        """Return the identity of an image without reading it.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        """Return the indices of the classes that an image shows.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken; the message names the file.
        """

    def fingerprint(self, *subsets: str) -> str:
        """Return the SHA-256 (hex) of the content, which does not depend on where the dataset is stored.

        Args:
            *subsets: Names of the subsets; all if none is given.

        Raises:
            KeyError: A subset is unknown.
        """
