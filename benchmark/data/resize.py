"""Sizes that a protocol asks for, and pictures and labels brought to a size."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.protocol import RatioRange, Resize, ShortSides

Size = tuple[int, int]
"""Height and width in pixels."""


def target_size(size: Size, resize: Resize | None, generator: torch.Generator) -> Size:
    """The size that a picture of `size` is drawn to be resized to."""
    match resize:
        case None:
            return size
        case RatioRange():
            factor = resize.low + (resize.high - resize.low) * float(torch.rand((), generator=generator))
            return fitted(size, short_side=factor * resize.short_side, longest=factor * resize.long_side)
        case ShortSides():
            side = resize.sides[int(torch.randint(len(resize.sides), (), generator=generator))]
            return fitted(size, short_side=side, longest=resize.longest)


def fitted(size: Size, *, short_side: float, longest: float = 0) -> Size:
    """A size of the same shape whose short side is `short_side`, or shorter where the long side would exceed `longest`.

    Args:
        size: height and width.
        short_side: in pixels.
        longest: in pixels; 0 for no bound.
    """
    scale = short_side / min(size)
    if longest:
        scale = min(scale, longest / max(size))
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def resized(image: Tensor, size: Size, *, antialias: bool) -> Tensor:
    """A picture at another size, bilinear, in the same type.

    Args:
        image: (3, H, W) bytes or float.
        size: height and width.
        antialias: low-pass it where it gets smaller.

    Returns:
        (3, height, width); the picture itself where the size is right already.
    """
    if image.shape[1:] == size:
        return image
    return F.interpolate(image[None], size=size, mode="bilinear", antialias=antialias, align_corners=False)[0]


def resized_labels(labels: Tensor, size: Size) -> Tensor:
    """Labels at another size, (H, W) to (height, width): each pixel takes what lies under its centre."""
    if labels.shape == size:
        return labels
    rows, columns = (_centres(old, new) for old, new in zip(labels.shape, size, strict=True))
    return torch.from_numpy(labels.numpy()[rows][:, columns])  # numpy's indexing takes a tenth of the time of torch's


def _centres(old: int, new: int) -> NDArray[np.int64]:
    return (2 * np.arange(new) + 1) * old // (2 * new)
