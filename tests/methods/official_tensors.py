"""Random tensors of a published model's names and shapes: the same on every machine, so that no file must hold them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


def draw_official_tensors(shapes: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
    """Draw tensors of useful sizes: kernels by their inputs, variances and norms around one.

    Args:
        shapes: Shape of each tensor by official name.

    Returns:
        float32 tensors by official name.
    """
    return {name: _draw(name, tuple(shape)) for name, shape in shapes.items()}


def _draw(name: str, shape: tuple[int, ...]) -> Tensor:
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        values = 1 + 0.2 * np.abs(noise)
    elif name.endswith("weight") and len(shape) == 1:
        values = 1 + 0.1 * noise
    elif len(shape) < 2:
        values = 0.1 * noise
    else:
        values = noise / np.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
