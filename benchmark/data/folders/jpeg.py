"""JPEG decoding by simplejpeg: the pixels of Pillow in two thirds of the time.

Both decode with libjpeg-turbo, but may come with different versions of it. So the first image of every kind that a
process decodes is decoded by both, and a kind with other pixels is left to Pillow. So are images that simplejpeg
refuses or warns of, so that a fault has one message.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

try:
    import simplejpeg
except ImportError:
    simplejpeg = None

_kinds: dict[tuple[str, ...], bool] = {}
"""Whether simplejpeg has the pixels of Pillow, by color space, subsampling and order of the file."""


def decode_jpeg(content: bytes, image: Image.Image) -> NDArray[np.uint8] | None:
    """Decode a JPEG with three channels.

    Args:
        content: Bytes of the file.
        image: The same file, opened by Pillow.

    Returns:
        (H, W, 3) uint8 RGB, not rotated; None if Pillow has to decode it.
    """
    if simplejpeg is None or image.format != "JPEG" or image.mode != "RGB":
        return None
    try:
        *_, color_space, subsampling = simplejpeg.decode_jpeg_header(content)
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(content, colorspace="RGB")
    except ValueError:
        return None
    kind = color_space, subsampling, "progressive" if "progressive" in image.info else "sequential"
    if kind not in _kinds:
        _kinds[kind] = np.array_equal(pixels, np.array(image))
    return pixels if _kinds[kind] else None
