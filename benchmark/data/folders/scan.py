"""All that can be known of one image without its pixels: whether it is whole, its digests, its classes.

The picture is hashed as bytes and only its header is read; the mask is read in full and hashed as class indices, so
that a raw mask and a converted one with the same labels are the same.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmark.data.folders.decode import Header, check_end, decode_mask, decode_picture, header_of, read_content
from benchmark.data.folders.discovery import Pair
from benchmark.data.folders.mask_values import Labels, MaskTable


class Stamp(NamedTuple):
    """By what a file that was edited is known: size in bytes and time of the last change, of picture and of mask."""

    picture_bytes: int
    picture_ns: int
    mask_bytes: int
    mask_ns: int


NO_STAMP = Stamp(0, 0, 0, 0)
"""Of files that appeared while they were being read: no file has it, so they are read again."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of an image that is whole.

    Attributes:
        stamp: of its files when they were read.
        picture: SHA-256 of the picture's bytes.
        mask: SHA-256 of the mask's size and class indices.
        size: (height, width) of both.
        classes: those that occur, sorted.
        is_decoded: whether the picture's pixels were looked at too.
    """

    stamp: Stamp
    picture: bytes
    mask: bytes
    size: tuple[int, int]
    classes: tuple[int, ...]
    is_decoded: bool


@dataclass(frozen=True)
class Problem:
    """Something that is wrong.

    Attributes:
        kind: "picture" or "mask" for a file that is missing or broken, "ids" for mask values that mean nothing, "size"
            for two files of different sizes, "twice" for an image listed again; "missing", "incomplete" and "too many"
            for a part.
        path: of the file, or of the folder.
        text: one line that names it.
    """

    kind: str
    path: str
    text: str


def stamp_of(root: str, pair: Pair) -> Stamp | None:
    """The present stamp of an image's files; None where one is missing."""
    try:  # text, not paths: there are hundreds of thousands of them
        picture, mask = os.stat(f"{root}/{pair.picture}"), os.stat(f"{root}/{pair.mask}")
    except OSError:
        return None
    return Stamp(picture.st_size, picture.st_mtime_ns, mask.st_size, mask.st_mtime_ns)


def scan(root: Path, pair: Pair, table: MaskTable, *, full: bool = False) -> Facts | tuple[Problem, ...]:
    """Read one image.

    Args:
        root: of the data set.
        pair: the files.
        table: what the mask's values mean.
        full: decode the picture too, not only its header.

    Returns:
        What is known of it, or everything that is wrong with it.
    """
    stamp = stamp_of(str(root), pair)  # before reading: a file that changes meanwhile is read again next time
    problems: list[Problem] = []
    digest, header = _picture(root / pair.picture, full, problems)
    labels, classes = _mask(root / pair.mask, table, problems)
    if header is not None and labels is not None and header.size != labels.shape:
        problems.append(
            Problem("size", str(root / pair.picture), size_mismatch(root, pair, header=header, mask=labels.shape))
        )
    if header is None or labels is None or problems:
        return tuple(problems)
    return Facts(stamp or NO_STAMP, digest, mask_digest(labels), header.size, classes, full)


def mask_digest(labels: Labels) -> bytes:
    """SHA-256 of (H, W) labels: their size and, as 16-bit little-endian numbers, their values."""
    content = hashlib.sha256(f"{labels.shape[0]} {labels.shape[1]} ".encode())
    content.update(np.ascontiguousarray(labels, dtype="<u2").data)
    return content.digest()


def size_mismatch(root: Path, pair: Pair, *, header: Header, mask: tuple[int, ...]) -> str:
    """One line about a picture and a mask (H, W) that do not lie on each other."""
    text = (
        f"{root / pair.picture} is {header.size[1]}x{header.size[0]} (width x height) and {root / pair.mask} is "
        f"{mask[1]}x{mask[0]}"
    )
    if (header.height, header.width) == mask:
        return (
            f"{text}; they agree before the picture is turned as its EXIF orientation {header.orientation} says: turn "
            "the mask too, or remove the orientation from the picture"
        )
    return f"{text}; they must agree"


def _picture(path: Path, full: bool, problems: list[Problem]) -> tuple[bytes, Header | None]:
    try:
        content = read_content(path)
        header = header_of(content, path)
        if full:
            decode_picture(content, path)
        else:
            check_end(content, path)
    except ValueError as error:
        problems.append(Problem("picture", str(path), str(error)))
        return b"", None
    return hashlib.sha256(content).digest(), header


def _mask(path: Path, table: MaskTable, problems: list[Problem]) -> tuple[Labels | None, tuple[int, ...]]:
    kind = "mask"
    try:
        values = decode_mask(read_content(path), path)
        kind = "ids"
        return table(values, path), table.classes_in(values, path)
    except ValueError as error:
        problems.append(Problem(kind, str(path), str(error)))
        return None, ()
