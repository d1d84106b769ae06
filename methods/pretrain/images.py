"""Conversion of toybox images to training tensors."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.toybox.canvas import SIZE


def resize_crop(image: NDArray[np.uint8]) -> Tensor:
    """Resize a crop to the size of a scene.

    Args:
        image: (h, w, 3) RGB in 0-255.

    Returns:
        (3, SIZE, SIZE) float RGB in 0-255.
    """
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()
    if pixels.shape[1:] == (SIZE, SIZE):
        return pixels
    return F.interpolate(pixels[None], size=(SIZE, SIZE), mode="bilinear", antialias=True)[0]
