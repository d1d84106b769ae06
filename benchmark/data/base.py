"""The dataset interface: named subsets of labeled images with one class vocabulary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol, runtime_checkable

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


@dataclass(frozen=True)
class RawPoints:
    """Points of the scene that an image shows, with the labels of their dataset, before any split is applied.

    Attributes:
        points: (N, 7) float32: x to the right, y down and z forward from the camera of the image, in meters, then
            reflectance, red, green and blue in 0-1, zeros for what the sensor does not measure.
        uv: (N, 2) float32, column and row in pixels from the upper left corner of the image. The first pixel is
            [0, 1) in both directions. Points that are not visible may have any finite values.
        is_visible: (N,) bool, whether the point projects into the image and nothing in front of it hides it.
        labels: (N,) integers, as the labels of `RawSample`.
    """

    points: NDArray[np.float32]
    uv: NDArray[np.float32]
    is_visible: NDArray[np.bool_]
    labels: NDArray[np.integer]


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


@runtime_checkable
class CaptionSource(Protocol):
    """A dataset whose images have captions, in addition to what `Dataset` asks for."""

    def read_captions(self, subset: str, index: int) -> tuple[str, ...]:
        """Return the captions of an image, at least one.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """


@runtime_checkable
class PointSource(Protocol):
    """A dataset whose images have point clouds, in addition to what `Dataset` asks for."""

    def read_points(self, subset: str, index: int) -> RawPoints:
        """Return the points of the scene that an image shows.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken; the message names the file.
        """
