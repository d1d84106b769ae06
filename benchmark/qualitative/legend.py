"""Legends beside pixel images: plain drawing with Pillow, since an image per scored image must take milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Rgb = tuple[int, int, int]

MIN_SIDE = 256
"""Smaller images are enlarged by a whole factor to at least this height, so that a legend is in proportion."""
FONT_SIZE, LINE, BOX, MARGIN = 13, 19, 12, 8
TEXT: Rgb = (20, 20, 20)


class LegendEntry(NamedTuple):
    """Color and text of a line of a legend."""

    color: Rgb
    text: str


def attach_legend(image: NDArray[np.uint8], entries: Sequence[LegendEntry]) -> NDArray[np.uint8]:
    """Return an image with a legend to its right.

    Args:
        image: (H, W, 3) RGB.
        entries: Lines of the legend, from top to bottom.

    Returns:
        (H', W', 3): the image, enlarged by a whole factor if it is small, and the legend.
    """
    factor = max(1, -(-MIN_SIDE // image.shape[0]))
    enlarged = image.repeat(factor, axis=0).repeat(factor, axis=1)
    height, width = enlarged.shape[:2]
    font = _load_font()
    widest = max((round(font.getlength(entry.text)) for entry in entries), default=0)
    size = (width + BOX + 3 * MARGIN + widest, max(height, 2 * MARGIN + LINE * len(entries)))
    canvas = Image.new("RGB", size, "white")
    canvas.paste(Image.fromarray(enlarged), (0, 0))
    draw = ImageDraw.Draw(canvas)
    left = width + MARGIN
    for number, entry in enumerate(entries):
        top = MARGIN + LINE * number
        draw.rectangle((left, top, left + BOX, top + BOX), fill=entry.color, outline=TEXT)
        draw.text((left + BOX + MARGIN, top - 2), entry.text, fill=TEXT, font=font)
    return np.array(canvas)


@cache
def _load_font() -> ImageFont.FreeTypeFont:
    """Load the font that comes with matplotlib, so that texts look the same everywhere."""
    return ImageFont.truetype(str(Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"), FONT_SIZE)
