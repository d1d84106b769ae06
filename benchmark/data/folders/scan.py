"""Facts about one image and its mask: whether both files are intact, their digests, and the classes in the mask.

The image file is hashed as bytes and only its header is read. The mask is decoded and hashed as class indices, so that
an original mask and a converted one with the same labels have the same digest.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data.folders.decode import (
    ImageHeader,
    check_jpeg_end,
    decode_image,
    decode_mask,
    read_content,
    read_header,
)
from benchmark.data.folders.discovery import ImageFiles
from benchmark.data.folders.mask_values import MaskLabels, MaskValueTable


class FileStamp(NamedTuple):
    """Size in bytes and modification time of an image and of its mask; changes when either file is edited."""

    image_bytes: int
    image_ns: int
    mask_bytes: int
    mask_ns: int


NO_STAMP = FileStamp(0, 0, 0, 0)
"""Stamp of files that appeared while they were being read: no file has this stamp, so they are read again."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """Facts about an image whose files are intact.

    Attributes:
        stamp: Stamp of the files when they were read.
        image_digest: SHA-256 of the bytes of the image file.
        mask_digest: SHA-256 of the mask's size and class indices.
        size: (height, width) of both.
        classes: Indices of the classes in the mask, sorted.
        is_decoded: Whether the image's pixels were decoded too.
    """

    stamp: FileStamp
    image_digest: bytes
    mask_digest: bytes
    size: tuple[int, int]
    classes: tuple[int, ...]
    is_decoded: bool


@dataclass(frozen=True)
class DatasetProblem:
    """A defect of a dataset.

    Attributes:
        kind: "image" or "mask" for a missing or broken file, "values" for illegal mask values, "size" for an image and
            a mask of different sizes, "duplicate" for an image that is listed again; "missing", "incomplete" and
            "too many" for a subset.
        path: Path of the file or folder.
        text: One-line description that names the file or subset.
    """

    kind: str
    path: str
    text: str


def read_stamp(root: str, files: ImageFiles) -> FileStamp | None:
    """Return the current stamp of an image's files, or None if one of them is missing."""
    try:  # strings instead of paths: there are hundreds of thousands of files
        image, mask = os.stat(f"{root}/{files.image}"), os.stat(f"{root}/{files.mask}")
    except OSError:
        return None
    return FileStamp(image.st_size, image.st_mtime_ns, mask.st_size, mask.st_mtime_ns)


def scan_image(
    root: Path, files: ImageFiles, table: MaskValueTable, *, full: bool = False
) -> ImageFacts | tuple[DatasetProblem, ...]:
    """Read one image and its mask.

    Args:
        root: Root folder of the dataset.
        files: Files of the image.
        table: Meaning of the mask's values.
        full: Whether to decode the image's pixels, not only its header.

    Returns:
        The facts about the image, or all its problems.
    """
    stamp = read_stamp(str(root), files)  # before reading, so that a file that changes meanwhile is read again
    problems: list[DatasetProblem] = []
    digest, header = _scan_image_file(root / files.image, full, problems)
    labels, classes = _scan_mask_file(root / files.mask, table, problems)
    if header is not None and labels is not None and header.size != labels.shape:
        text = describe_size_mismatch(root, files, header=header, mask_size=labels.shape)
        problems.append(DatasetProblem("size", str(root / files.image), text))
    if header is None or labels is None or problems:
        return tuple(problems)
    return ImageFacts(stamp or NO_STAMP, digest, digest_mask(labels), header.size, classes, full)


def digest_mask(labels: MaskLabels) -> bytes:
    """Return the SHA-256 of a mask: its size and its values as 16-bit little-endian numbers.

    Args:
        labels: (H, W) class indices.
    """
    content = hashlib.sha256(f"{labels.shape[0]} {labels.shape[1]} ".encode())
    content.update(np.ascontiguousarray(labels, dtype="<u2").data)
    return content.digest()


def describe_size_mismatch(root: Path, files: ImageFiles, *, header: ImageHeader, mask_size: tuple[int, ...]) -> str:
    """Return a one-line description of an image and a mask of different sizes.

    Args:
        root: Root folder of the dataset.
        files: Files of the image.
        header: Header of the image.
        mask_size: (height, width) of the mask.
    """
    text = (
        f"{root / files.image} is {header.size[1]}x{header.size[0]} (width x height) but {root / files.mask} is "
        f"{mask_size[1]}x{mask_size[0]}"
    )
    if (header.height, header.width) == mask_size:
        return (
            f"{text}; they match before EXIF orientation {header.orientation} is applied to the image: rotate the "
            "mask too, or remove the orientation from the image"
        )
    return f"{text}; expected equal sizes"


def _scan_image_file(path: Path, full: bool, problems: list[DatasetProblem]) -> tuple[bytes, ImageHeader | None]:
    try:
        content = read_content(path)
        header = read_header(content, path)
        if full:
            decode_image(content, path)
        else:
            check_jpeg_end(content, path)
    except ValueError as error:
        problems.append(DatasetProblem("image", str(path), str(error)))
        return b"", None
    return hashlib.sha256(content).digest(), header


def _scan_mask_file(
    path: Path, table: MaskValueTable, problems: list[DatasetProblem]
) -> tuple[MaskLabels | None, tuple[int, ...]]:
    kind = "mask"
    try:
        values = decode_mask(read_content(path), path)
        kind = "values"
        return table(values, path), table.find_classes(values, path)
    except ValueError as error:
        problems.append(DatasetProblem(kind, str(path), str(error)))
        return None, ()
