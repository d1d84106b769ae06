"""Decoding of image and mask files: images as Detectron2 and OpenCV decode them, masks as the stored numbers.

A file is decoded completely or refused with a ValueError that names the file and its fault. All pixels are those of
Pillow: simplejpeg decodes most JPEGs to them in two thirds of the time (1.3 against 1.95 ms on VOC), and zlib-ng most
masks in a fifth. OpenCV takes 1.45 ms for the same pixels of a JPEG, and torchvision's decoders are deprecated since
0.29.

No decoder notices a JPEG that lost its middle and kept its end: libjpeg fills the hole with gray. Fingerprints tell
such a copy from the original.
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

from benchmark.data.folders.jpeg import decode_jpeg
from benchmark.data.folders.png import decode_png

RgbImage = NDArray[np.uint8]
"""(H, W, 3) RGB."""

Mask = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W) mask values."""

_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"
_PNG_START = b"\x89PNG\r\n\x1a\n"
_IMAGE_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"})
_WIDE_MODES = frozenset({"I", "I;16", "I;16B", "I;16L", "I;16N"})
_ORIENTATION_TAG = 0x0112  # EXIF tag
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
"""Exceptions that Pillow raises on broken files."""

_ROTATIONS = {2: (0, True), 3: (2, False), 4: (2, True), 5: (3, True), 6: (3, False), 7: (1, True), 8: (1, False)}
"""EXIF orientation to counterclockwise quarter turns, and whether the result is mirrored left to right."""


class ColorMaskError(ValueError):
    """A mask has colors instead of one channel of class ids; the message names the file."""


class ImageHeader(NamedTuple):
    """Header of an image file.

    Attributes:
        height, width: Stored size in pixels, before rotation.
        orientation: EXIF orientation; 1 if the image is displayed as it is stored.
    """

    height: int
    width: int
    orientation: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the image as displayed."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


def read_image(path: Path) -> RgbImage:
    """Read an image as displayed, rotated according to its EXIF orientation.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The file is missing, truncated or not an image; the message names the file.
    """
    return decode_image(read_content(path), path)


def read_mask(path: Path) -> Mask:
    """Read the values of a mask; palettes are ignored.

    Returns:
        (H, W) uint8, or uint16 for 16-bit masks.

    Raises:
        ValueError: The file is missing, broken, or not one channel of whole numbers; the message names the file.
    """
    return decode_mask(read_content(path), path)


def read_image_size(path: Path) -> tuple[int, int]:
    """Return (height, width) of an image as displayed; only its header is read.

    Raises:
        ValueError: The file is missing or not an image.
    """
    try:
        with path.open("rb") as file:
            return _read_header(file, path).size
    except OSError as error:
        raise ValueError(_describe_os_error(path, error)) from error


def read_content(path: Path) -> bytes:
    """Return the bytes of a file.

    Raises:
        ValueError: The file is missing, empty or not readable; the message names the file.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ValueError(_describe_os_error(path, error)) from error
    if not content:
        raise ValueError(f"{path} is empty (0 bytes); copy or download it again")
    return content


def read_header(content: bytes, path: Path) -> ImageHeader:
    """Return the header of an image file.

    Args:
        content: Bytes of the file.
        path: Path of the file, for error messages.

    Raises:
        ValueError: The file is not an image.
    """
    return _read_header(io.BytesIO(content), path)


def check_jpeg_end(content: bytes, path: Path) -> None:
    """Check that a file, if it is a JPEG, has an end marker.

    Raises:
        ValueError: The end marker is missing, so the file is truncated.
    """
    if content.startswith(_JPEG_START) and not _has_jpeg_end(content):
        raise ValueError(
            f"{path} is truncated: {len(content)} bytes without a JPEG end marker; copy or download it again"
        )


def decode_image(content: bytes, path: Path) -> RgbImage:
    """Decode the bytes of an image file; see `read_image`.

    Returns:
        (H, W, 3) uint8 RGB.
    """
    check_jpeg_end(content, path)
    with _open_image(io.BytesIO(content), path) as image:
        if image.mode not in _IMAGE_MODES:
            raise ValueError(f"{path} is an image of mode {image.mode}, expected 8 bits per channel")
        orientation = _get_orientation(image)
        try:
            decoded = decode_jpeg(content, image)
            pixels = np.array(image.convert("RGB")) if decoded is None else decoded
        except _DECODING_ERRORS as error:
            raise ValueError(f"{path} is broken: {_format_error(error)}; copy or download it again") from error
    return _apply_orientation(pixels, orientation)


def decode_mask(content: bytes, path: Path) -> Mask:
    """Decode the bytes of a mask file; see `read_mask`.

    Returns:
        (H, W) uint8, or uint16 for 16-bit masks.
    """
    with _open_image(io.BytesIO(content), path) as image:
        if image.format == "JPEG":
            raise ValueError(f"{path} is a JPEG, which does not keep class ids exactly; expected a PNG or TIFF")
        if image.mode not in {"1", "L", "P"} | _WIDE_MODES:
            raise ColorMaskError(
                f"{path} is a color image ({image.mode}), expected a mask with one channel of class ids "
                "(palette or gray, 8 or 16 bits)"
            )
        try:
            decoded = decode_png(content, image)
            values = np.array(image) if decoded is None else decoded
        except _DECODING_ERRORS as error:
            raise ValueError(f"{path} is broken: {_format_error(error)}; copy or download it again") from error
        return _convert_to_uint16(values, path) if image.mode in _WIDE_MODES else _undo_scaling(values, content)


def _read_header(file: IO[bytes], path: Path) -> ImageHeader:
    with _open_image(file, path) as image:
        return ImageHeader(image.height, image.width, _get_orientation(image))


def _open_image(file: IO[bytes], path: Path) -> Image.Image:
    """Open an image; only its header is read."""
    try:
        return Image.open(file)
    except _DECODING_ERRORS as error:
        file.seek(0)
        start = file.read(12)
        if isinstance(error, Image.DecompressionBombError):
            raise ValueError(f"{path} is not read: {error}") from error
        if start.startswith((_JPEG_START, _PNG_START)):
            kind = "PNG" if start.startswith(_PNG_START) else "JPEG"
            size = file.seek(0, io.SEEK_END)
            fault = f"is a truncated or damaged {kind} ({size} bytes)"
            raise ValueError(f"{path} {fault}; copy or download it again") from error
        raise ValueError(f"{path} is not a readable image: its first bytes are {start!r}") from error


def _get_orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 if it is absent or unreadable, as in OpenCV."""
    if "exif" not in image.info:
        return 1
    try:
        orientation = image.getexif().get(_ORIENTATION_TAG, 1)
    except (*_DECODING_ERRORS, KeyError, TypeError):
        return 1
    return orientation if orientation in _ROTATIONS else 1


def _apply_orientation(pixels: RgbImage, orientation: int) -> RgbImage:
    """Rotate and mirror an image, (H, W, 3) to (H, W, 3) or (W, H, 3)."""
    if orientation not in _ROTATIONS:
        return pixels
    quarter_turns, is_mirrored = _ROTATIONS[orientation]
    rotated = np.rot90(pixels, quarter_turns)
    return np.ascontiguousarray(rotated[:, ::-1] if is_mirrored else rotated)


def _has_jpeg_end(content: bytes) -> bool:
    """Return whether a JPEG has an end marker: at the end, before padding, or after its last segment."""
    return content.endswith(_JPEG_END) or content.rstrip(b"\0").endswith(_JPEG_END) or _find_jpeg_end(content)


def _find_jpeg_end(content: bytes) -> bool:
    """Follow the segments, so that the end marker of an embedded thumbnail is not mistaken for that of the image."""
    marker = re.compile(rb"\xff+([^\x00\xff\xd0-\xd7])", re.DOTALL)
    position = len(_JPEG_START)
    while match := marker.search(content, position):
        if match[1] == _JPEG_END[1:]:
            return True
        if match.end() + 2 > len(content):
            return False
        position = match.end() + int.from_bytes(content[match.end() : match.end() + 2], "big")
    return False


def _undo_scaling(values: NDArray[np.generic], content: bytes) -> NDArray[np.uint8]:
    """Return (H, W) masks of up to 8 bits; undo Pillow's scaling of 2-bit and 4-bit gray PNGs to 0-255."""
    mask = values.astype(np.uint8, copy=False)
    if not content.startswith(_PNG_START):
        return mask
    bits, color_type = content[24], content[25]
    return mask // np.uint8(255 // (2**bits - 1)) if color_type == 0 and bits in (2, 4) else mask


def _convert_to_uint16(values: NDArray[np.integer], path: Path) -> NDArray[np.uint16]:
    lowest, highest = int(values.min()), int(values.max())
    if lowest < 0 or highest > 65535:
        raise ValueError(f"{path} has values from {lowest} to {highest}, expected 0 to 65535")
    return values.astype(np.uint16)


def _describe_os_error(path: Path, error: OSError) -> str:
    return f"{path} is missing" if isinstance(error, FileNotFoundError) else f"{path} cannot be read: {error.strerror}"


def _format_error(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
