"""Files to pixels: pictures as Detectron2 and OpenCV see them, masks as the numbers that were saved.

A file is decoded whole or refused with a ValueError that names it and its fault. Everything goes through Pillow:
torchvision gives the same pixels of a JPEG in three quarters of the time (1.3 against 1.7 ms on VOC), but its decoders
are deprecated since 0.29, and a picture is a small part of what a sample costs.

What no decoder notices is a JPEG that lost its middle and kept its end: libjpeg fills the hole with grey. Fingerprints
tell such a copy from the original.
"""

from __future__ import annotations

import io
import re
import struct
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Picture = NDArray[np.uint8]
Mask = NDArray[np.uint8] | NDArray[np.uint16]

_JPEG, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG = b"\x89PNG\r\n\x1a\n"
_PICTURE_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
_WIDE_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_ORIENTATION = 0x0112  # EXIF tag
_UNREADABLE = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
"""What Pillow raises over broken files."""

_TURNS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation to quarter turns against the clock, and whether the result is mirrored left to right."""


class Header(NamedTuple):
    """What a picture's first bytes say.

    Attributes:
        height, width: in pixels as the file stores them, before any turning.
        orientation: EXIF's, 1 where it lies as it is stored.
    """

    height: int
    width: int
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the picture as it is shown."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_picture(path: Path) -> Picture:
    """A picture as it is shown, turned as its EXIF orientation says: (H, W, 3) uint8 RGB.

    Raises:
        ValueError: the file is missing, cut short or no picture; one line that names it.
    """
    return decode_picture(read_content(path), path)


def read_mask(path: Path) -> Mask:
    """The numbers in a mask: (H, W) uint8, or uint16 where it has 16 bits. Palettes are not looked at.

    Raises:
        ValueError: the file is missing, broken, or not one channel of whole numbers; one line that names it.
    """
    return decode_mask(read_content(path), path)


def picture_size(path: Path) -> tuple[int, int]:
    """(height, width) of a picture as it is shown, from its first bytes. Raises ValueError like `read_picture`."""
    try:
        with path.open("rb") as file:
            return _header(file, path).size
    except OSError as error:
        raise ValueError(_cannot_read(path, error)) from error


def read_content(path: Path) -> bytes:
    """All bytes of a file. Raises ValueError, naming it, where it is missing, empty or out of reach."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(_cannot_read(path, error)) from error
    if not content:
        raise ValueError(f"{path} is empty (0 bytes); copy or download it again")
    return content


def header_of(content: bytes, path: Path) -> Header:
    """The header of a picture. Raises ValueError where there is none."""
    return _header(io.BytesIO(content), path)


def check_end(content: bytes, path: Path) -> None:
    """Raise ValueError for a JPEG whose end marker is missing, which means that it was cut short."""
    if content.startswith(_JPEG) and not _reaches_its_end(content):
        raise ValueError(f"{path} is cut short: {len(content)} bytes and no end of a JPEG; copy or download it again")


def decode_picture(content: bytes, path: Path) -> Picture:
    """`read_picture` of a file's bytes; the path is for messages."""
    check_end(content, path)
    with _opened(io.BytesIO(content), path) as image:
        if image.mode not in _PICTURE_MODES:
            raise ValueError(f"{path} is a picture of mode {image.mode}, expected 8 bits a channel")
        orientation = _orientation(image)
        try:
            pixels = np.array(image.convert("RGB"))
        except _UNREADABLE as error:
            raise ValueError(f"{path} is broken: {_words(error)}; copy or download it again") from error
    return _turned(pixels, orientation)


def decode_mask(content: bytes, path: Path) -> Mask:
    """`read_mask` of a file's bytes; the path is for messages."""
    with _opened(io.BytesIO(content), path) as image:
        if image.format == "JPEG":
            raise ValueError(f"{path} is a JPEG, which does not keep class ids exactly; expected a PNG or TIFF")
        if image.mode not in {"1", "L", "P"} | _WIDE_MODES:
            raise ValueError(
                f"{path} is a colour picture ({image.mode}), expected a mask with one channel of class ids "
                "(palette or grey, 8 or 16 bits)"
            )
        try:
            values = np.array(image)
        except _UNREADABLE as error:
            raise ValueError(f"{path} is broken: {_words(error)}; copy or download it again") from error
        return _whole_numbers(values, path) if image.mode in _WIDE_MODES else _unscaled(values, content)


def _header(file: IO[bytes], path: Path) -> Header:
    with _opened(file, path) as image:
        return Header(image.height, image.width, _orientation(image))


def _opened(file: IO[bytes], path: Path) -> Image.Image:
    """An image of which only the header was read."""
    try:
        return Image.open(file)
    except _UNREADABLE as error:
        file.seek(0)
        raise ValueError(f"{path} is no picture that can be read: it begins with {file.read(12)!r}") from error


def _orientation(image: Image.Image) -> int:
    """EXIF's orientation, 1 where there is none or it cannot be read, as in OpenCV."""
    if "exif" not in image.info:
        return 1
    try:
        found = image.getexif().get(_ORIENTATION, 1)
    except (*_UNREADABLE, KeyError, TypeError):
        return 1
    return found if found in _TURNS else 1


def _turned(pixels: Picture, orientation: int) -> Picture:
    if orientation not in _TURNS:
        return pixels
    quarters, is_mirrored = _TURNS[orientation]
    turned = np.rot90(pixels, quarters)
    return np.ascontiguousarray(turned[:, ::-1] if is_mirrored else turned)


def _reaches_its_end(content: bytes) -> bool:
    """Whether a JPEG has its end marker: at the end, before padding, or where walking from marker to marker leads."""
    return content.endswith(_JPEG_END) or content.rstrip(b"\0").endswith(_JPEG_END) or _walks_to_its_end(content)


def _walks_to_its_end(content: bytes) -> bool:
    """Follow the segments, so that the end of a thumbnail inside of one is not taken for the end of the picture."""
    marker = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
    at = len(_JPEG)
    while found := marker.search(content, at):
        if found[1] == _JPEG_END[1:]:
            return True
        if found.end() + 2 > len(content):
            return False
        at = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return False


def _unscaled(values: NDArray[np.generic], content: bytes) -> NDArray[np.uint8]:
    """Masks of up to 8 bits; grey PNGs of 2 and 4 bits, which Pillow stretches to 0-255, are put back."""
    found = values.astype(np.uint8, copy=False)
    if not content.startswith(_PNG):
        return found
    bits, colour_type = content[24], content[25]
    return found // np.uint8(255 // (2**bits - 1)) if colour_type == 0 and bits in (2, 4) else found


def _whole_numbers(values: NDArray[np.integer], path: Path) -> NDArray[np.uint16]:
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65535:
        raise ValueError(f"{path} holds numbers from {lowest} to {highest}, expected 0 to 65535")
    return values.astype(np.uint16)


def _cannot_read(path: Path, error: OSError) -> str:
    return f"{path} is missing" if isinstance(error, FileNotFoundError) else f"{path} cannot be read: {error.strerror}"


def _words(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
