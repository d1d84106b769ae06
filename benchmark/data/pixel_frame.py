"""Position of a crop in its image: which pixel of the crop shows a point of the image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmark.data.resize import Size


@dataclass(frozen=True)
class PixelFrame:
    """Map from pixel coordinates of a whole image to those of a flipped, cropped and resized part of it.

    A coordinate x becomes scale · x + shift. A flip has a negative scale of columns.

    Attributes:
        scale: Factors of columns and rows.
        shift: Shifts of columns and rows, in pixels of the part.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def is_mirrored(self) -> bool:
        """Whether left and right are exchanged."""
        return self.scale[0] < 0

    def crop(self, *, top: int, left: int) -> PixelFrame:
        """Return the frame of a part that begins at a row and a column of this one."""
        return replace(self, shift=(self.shift[0] - left, self.shift[1] - top))

    def flip(self, width: int) -> PixelFrame:
        """Return the frame of this part of a width with left and right exchanged."""
        return PixelFrame((-self.scale[0], self.scale[1]), (width - self.shift[0], self.shift[1]))

    def resize(self, old: Size, new: Size) -> PixelFrame:
        """Return the frame of this part of an old height and width after resizing to a new one."""
        factors = (new[1] / old[1], new[0] / old[0])  # of columns and rows
        return PixelFrame(
            (self.scale[0] * factors[0], self.scale[1] * factors[1]),
            (self.shift[0] * factors[0], self.shift[1] * factors[1]),
        )

    def __call__(self, uv: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map columns and rows (N, 2) of the image to those of the part; they may lie outside of it."""
        return (uv * np.array(self.scale, dtype=np.float32) + np.array(self.shift, dtype=np.float32)).astype(np.float32)


WHOLE_IMAGE = PixelFrame()
"""Frame of an image as it is."""
