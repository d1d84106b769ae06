"""Label maps as image files: one PNG or TIFF per image, named after the image, in a folder or below it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmark.data.folders.decode import ColorMaskError, Mask, decode_image, decode_mask, read_content
from benchmark.exchange.class_ids import ClassIds, Labels
from benchmark.utils.input_files import hash_file

SUFFIXES = (".png", ".tif", ".tiff")
_JPEG_START = b"\xff\xd8"


class LabelFolder:
    """Label maps in the files of a folder.

    Args:
        path: Folder.
        ids: Meaning of the ids in the files.

    Raises:
        ValueError: The folder has no label map, or two for one image.
    """

    def __init__(self, path: Path, ids: ClassIds) -> None:
        self.path, self._ids = path, ids
        self._files = _find_files(path)
        if not self._files:
            raise ValueError(
                f"{path} holds no label maps: expected one PNG per image, named after it, or sem_seg_predictions.json"
            )

    @property
    def image_ids(self) -> Collection[str]:
        """Ids of the images that have a label map: names of the files without their suffix."""
        return self._files.keys()

    @property
    def kind(self) -> str:
        """Number of label maps."""
        return f"{len(self._files)} label maps"

    def read(self, image_id: str, size: tuple[int, int]) -> Labels:
        """Return the classes of an image's pixels, see `LabelSource`."""
        path = self._files[image_id]
        ids = _read_colors(path) if self._ids.is_by_color else _read_ids(path)
        if ids.shape != size:
            actual, expected = (f"{height} x {width}" for height, width in (ids.shape, size))
            raise ValueError(
                f"{path} has {actual} pixels (height x width), and its target {expected}: write label maps at the "
                "original size of the images"
            )
        return self._ids.read(ids, str(path))

    def digest_files(self, image_ids: Collection[str]) -> Mapping[str, str]:
        """Return the SHA-256 of each file of these images, by path relative to the folder."""
        paths = sorted(self._files[image_id] for image_id in image_ids)
        return {path.relative_to(self.path).as_posix(): hash_file(path) for path in paths}


def _find_files(folder: Path) -> dict[str, Path]:
    """Return the files of label maps by image id, in the folder and all folders below it."""
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in relative.parts)
        if path.suffix.lower() not in SUFFIXES or is_hidden or not path.is_file():
            continue
        if path.stem in files:
            first = files[path.stem].relative_to(folder)
            raise ValueError(f"{folder} has two label maps for image {path.stem!r}: {first} and {relative}: keep one")
        files[path.stem] = path
    return files


def _read_ids(path: Path) -> Mask:
    """Return the ids in an image of one channel, (H, W).

    Raises:
        ValueError: The file is broken, or a color image.
    """
    try:
        return decode_mask(read_content(path), path)
    except ColorMaskError as error:
        raise ValueError(
            f'{error}; if its colors stand for classes, name them: --ids FILE.json with {{"#800000": "aeroplane", …}}'
        ) from error


def _read_colors(path: Path) -> NDArray[np.int32]:
    """Return the colors of a color image, or of an image with a palette, as (H, W) numbers 0xRRGGBB.

    Raises:
        ValueError: The file is broken, or a JPEG.
    """
    content = read_content(path)
    if content.startswith(_JPEG_START):
        raise ValueError(f"{path} is a JPEG, which does not keep colors exactly; expected a PNG or TIFF")
    pixels = decode_image(content, path).astype(np.int32)  # (H, W, 3)
    return (pixels[..., 0] << 16) | (pixels[..., 1] << 8) | pixels[..., 2]
