"""Sizes that a protocol asks for, and resizing of images and labels."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.protocol import RatioRange, Resize, ShortSides
from benchmark.data.compiled_pixels import compute_exactly, get_kernels, take_grid

Size = tuple[int, int]
"""Height and width in pixels."""


def draw_size(size: Size, resize: Resize | None, generator: torch.Generator) -> Size:
    """Draw the size that an image is resized to.

    Args:
        size: Height and width of the image.
        resize: Distribution of the size; None keeps the size.
        generator: Source of randomness.
    """
    match resize:
        case None:
            return size
        case RatioRange():
            factor = resize.low + (resize.high - resize.low) * float(torch.rand((), generator=generator))
            return fit_size(size, short_side=factor * resize.short_side, longest=factor * resize.long_side)
        case ShortSides():
            side = resize.sides[int(torch.randint(len(resize.sides), (), generator=generator))]
            return fit_size(size, short_side=side, longest=resize.longest)


def fit_size(size: Size, *, short_side: float, longest: float = 0) -> Size:
    """Return a size with the same aspect ratio and a given short side, or a shorter one to respect the longest side.

    Args:
        size: Height and width.
        short_side: Short side in pixels.
        longest: Upper bound of the long side in pixels; 0 for no bound.
    """
    scale = short_side / min(size)
    if longest:
        scale = min(scale, longest / max(size))
    return max(1, int(size[0] * scale + 0.5)), max(1, int(size[1] * scale + 0.5))


def resize_image(image: Tensor, size: Size, *, antialias: bool) -> Tensor:
    """Resize an image bilinearly; its type is kept.

    Args:
        image: (3, H, W) bytes or float.
        size: Height and width.
        antialias: Whether to apply a low-pass filter when shrinking.

    Returns:
        (3, height, width); the image itself if it has this size.
    """
    if image.shape[1:] == size:
        return image
    resize = partial(F.interpolate, size=size, mode="bilinear", antialias=antialias, align_corners=False)
    kernels = get_kernels(size[0] * size[1]) if image.dtype is torch.uint8 else None
    if kernels is None:
        return resize(image[None])[0]

    def resize_interleaved() -> NDArray[np.uint8]:
        # Channels last in and out: to change the memory order of a result, torch takes longer than to resize
        channels, height, width = image.shape
        pixels = torch.from_numpy(np.ascontiguousarray(image.permute(1, 2, 0).numpy()))  # (H, W, 3)
        strides = (channels * height * width, 1, channels * width, channels)
        resized = resize(pixels.as_strided((1, channels, height, width), strides))  # (1, 3, height, width)
        split: NDArray[np.uint8] = kernels.split_channels(resized[0].permute(1, 2, 0).numpy())
        return split

    name = "resizing with antialiasing" if antialias else "resizing"
    return torch.from_numpy(compute_exactly(name, resize_interleaved, lambda: resize(image[None])[0].numpy()))


def resize_labels(labels: Tensor, size: Size) -> Tensor:
    """Resize labels; each pixel takes the label under its center.

    Args:
        labels: (H, W) integers.
        size: Height and width.

    Returns:
        (height, width).
    """
    if labels.shape == size:
        return labels
    rows, columns = (_find_centers(old, new) for old, new in zip(labels.shape, size, strict=True))
    return torch.from_numpy(take_grid(labels.numpy(), rows, columns))


def _find_centers(old: int, new: int) -> NDArray[np.int64]:
    """Return, for each of `new` pixels, the index of the old pixel under its center: (new,)."""
    return (2 * np.arange(new) + 1) * old // (2 * new)
