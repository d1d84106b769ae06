"""Toybox pictures as training tensors."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.data.toybox.scene import SIZE


def resized(image: NDArray[np.uint8]) -> Tensor:
    """A crop (h, w, 3) at scene size: (3, SIZE, SIZE) float RGB 0-255."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1).float()
    if pixels.shape[1:] == (SIZE, SIZE):
        return pixels
    return F.interpolate(pixels[None], size=(SIZE, SIZE), mode="bilinear", antialias=True)[0]
