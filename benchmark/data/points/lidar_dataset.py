"""A dataset of LiDAR scans with images: masks are as sparse as the scans, all other pixels are ignored."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmark.core.types import IGNORE
from benchmark.data.base import ImageRef, RawPoints, RawSample
from benchmark.data.points.pinhole import draw_labels
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import format_canonical_json


class ScanFrame(Protocol):
    """A scan and the image of one camera, on disk."""

    def __hash__(self) -> int:
        """Return a hash, by which the last scan is kept."""

    @property
    def image_id(self) -> str:
        """Id, unique in the subset."""

    @property
    def image_path(self) -> Path:
        """Path of the image."""

    @property
    def files(self) -> tuple[Path, ...]:
        """Paths of image, scan and labels."""

    def digest_camera(self) -> str:
        """Return the SHA-256 (hex) of the calibration of the camera."""

    def read_points(self, size: tuple[int, int]) -> RawPoints:
        """Read the scan, given the height and width of the image.

        Raises:
            ValueError: A file is missing or broken; the message names the file.
        """


class LidarDataset:
    """LiDAR scans and images behind the protocols `Dataset` and `PointSource`.

    Points that project outside of the image are left out: no image teaches or shows them.

    Args:
        name: Name in the catalog.
        classes: Class names in label order.
        subsets: Names of the subsets.
        list_frames: Function from the name of a subset to its frames; called once for each subset, when it is needed.
    """

    def __init__(
        self,
        name: str,
        classes: Sequence[str],
        *,
        subsets: Sequence[str],
        list_frames: Callable[[str], Sequence[ScanFrame]],
    ) -> None:
        self.name, self.classes, self.subsets = name, tuple(classes), tuple(subsets)
        self._list_frames = list_frames
        self._frames: dict[str, Sequence[ScanFrame]] = {}

    def size(self, subset: str) -> int:
        """Return the number of images in a subset.

        Raises:
            KeyError: The subset is unknown.
        """
        return len(self._get_frames(subset))

    def read(self, subset: str, index: int) -> RawSample:
        """Read an image; its labels are those of the visible points, drawn into their pixels.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken; the message names the file.
        """
        frame = self._get_frame(subset, index)
        image = _read_image(frame.image_path)
        size = (image.shape[0], image.shape[1])
        points = _read_inside(frame, size)
        shown = points.is_visible
        labels = draw_labels(points.uv[shown], points.points[shown, 2], points.labels[shown], size=size, ignore=IGNORE)
        return RawSample(image, labels, *self.get_image_ref(subset, index))

    def read_points(self, subset: str, index: int) -> RawPoints:
        """Read the points of a scan that project into its image.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken; the message names the file.
        """
        frame = self._get_frame(subset, index)
        return _read_inside(frame, _read_size(frame.image_path))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        """Return the identity of an image without reading it.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        frame = self._get_frame(subset, index)
        return ImageRef(frame.image_id, str(frame.image_path))

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        """Return the indices of the classes that an image shows.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
            ValueError: A file is missing or broken; the message names the file.
        """
        return frozenset(np.unique(self.read(subset, index).labels).tolist()) - {IGNORE}

    def fingerprint(self, *subsets: str) -> str:
        """Return the SHA-256 (hex) of class names, image ids, labels, cameras, and sizes of images and scans.

        The content of images and scans does not count: they are too large to read them all.

        Args:
            *subsets: Names of the subsets; all if none is given.

        Raises:
            KeyError: A subset is unknown.
            ValueError: A file is missing.
        """
        content: Mapping[str, object] = {
            "name": self.name,
            "classes": self.classes,
            "subsets": {
                subset: [_describe_frame(frame) for frame in frames]
                for subset, frames in ((name, self._get_frames(name)) for name in subsets or self.subsets)
            },
        }
        return hashlib.sha256(format_canonical_json(content).encode()).hexdigest()

    def _get_frames(self, subset: str) -> Sequence[ScanFrame]:
        if subset not in self.subsets:
            raise KeyError(explain_unknown_name("subset", subset, self.subsets))
        if subset not in self._frames:
            self._frames[subset] = self._list_frames(subset)
        return self._frames[subset]

    def _get_frame(self, subset: str, index: int) -> ScanFrame:
        frames = self._get_frames(subset)
        if not 0 <= index < len(frames):
            raise IndexError(f"subset {subset!r} has images 0 to {len(frames) - 1}, got index {index}")
        return frames[index]


def keep_inside(points: RawPoints, *, size: tuple[int, int]) -> RawPoints:
    """Return the points before the camera that project into an image of a height and width, hidden ones among them."""
    is_inside = (points.uv >= 0).all(axis=1) & (points.uv < np.array(size[::-1])).all(axis=1)
    kept = is_inside & (points.points[:, 2] > 0)
    return RawPoints(points.points[kept], points.uv[kept], points.is_visible[kept], points.labels[kept])


@lru_cache(maxsize=1)
def _read_inside(frame: ScanFrame, size: tuple[int, int]) -> RawPoints:
    """Read the points in an image; the last scan is kept, because a sample asks for its mask and for its points."""
    return keep_inside(frame.read_points(size), size=size)


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))
    except OSError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


@lru_cache(maxsize=1 << 16)
def _read_size(path: Path) -> tuple[int, int]:
    """Return the height and width of an image, from the beginning of its file."""
    try:
        with Image.open(path) as image:
            return image.height, image.width
    except OSError as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _describe_frame(frame: ScanFrame) -> tuple[str, int, int, str, str]:
    """Return the id, the sizes of image and scan, and the digests of labels and camera."""
    image, scan, labels = frame.files
    try:
        digest = hashlib.sha256(labels.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(f"{labels} cannot be read: {error.strerror}") from error
    return frame.image_id, _get_size(image), _get_size(scan), digest, frame.digest_camera()


def _get_size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
