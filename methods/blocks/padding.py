"""Padding of images of different sizes: which positions of a map show an image, and functions that see only those.

A training crop of a small image is padded at the right and the bottom, and an image of any size is padded to a multiple
of the stride. A position of stride s is valid if its center lies inside the image; the first row and column always are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from benchmark.core.types import Batch, Sample

Grid = tuple[int, int]
"""Number of positions in a column and in a row, (H, W)."""

T = TypeVar("T")


def get_valid_size(sample: Sample) -> tuple[int, int]:
    """Return the height and width of a sample's image without its padding."""
    height, width = sample["image"].shape[1:]
    return sample.get("valid_size", (height, width))


def crop_to_image(sample: Sample) -> Tensor:
    """Return the image of a sample without its padding, (3, h, w)."""
    height, width = get_valid_size(sample)
    return sample["image"][:, :height, :width]


def count_valid_positions(batch: Batch, *, stride: int) -> list[Grid]:
    """Return the number of valid rows and columns in the map of each sample, at least one.

    Args:
        batch: B samples.
        stride: Pixels per position in both directions.
    """
    sizes = (get_valid_size(sample) for sample in batch)
    return [(_round_side(height, stride), _round_side(width, stride)) for height, width in sizes]


def mark_valid_positions(grids: Sequence[Grid], size: Grid, *, device: torch.device) -> Tensor | None:
    """Mark the valid positions of a map.

    Args:
        grids: Valid rows and columns of each of B maps, from the upper left corner.
        size: Height H and width W of the maps.
        device: Device of the result.

    Returns:
        (B, H·W) bool, in row-major order; None if every position is valid.
    """
    if all(grid == size for grid in grids):
        return None
    is_valid = torch.zeros(len(grids), *size, dtype=torch.bool, device=device)
    for image, (height, width) in zip(is_valid, grids, strict=True):
        image[:height, :width] = True
    return is_valid.flatten(1)


def map_without_padding(function: Callable[[Tensor], Tensor], maps: Tensor, grids: Sequence[Grid]) -> Tensor:
    """Apply a function to the valid part of each map, to parts of one size together.

    Args:
        function: Function from maps (b, C, h, w) to maps (b, D, h, w).
        maps: (B, C, H, W).
        grids: Valid rows and columns of each map, from the upper left corner.

    Returns:
        (B, D, H, W); the last valid row and column are repeated in the padding.
    """
    size = (maps.shape[2], maps.shape[3])
    if all(grid == size for grid in grids):
        return function(maps)
    results: dict[int, Tensor] = {}
    for (height, width), indices in group_indices(grids).items():
        parts = torch.stack([maps[index, :, :height, :width] for index in indices])
        results.update(zip(indices, _repeat_border(function(parts), size), strict=True))
    return torch.stack([results[index] for index in range(len(grids))])


def encode_without_padding(encode: Callable[[Tensor], Tensor], batch: Batch) -> Tensor:
    """Encode the images of a batch without their padding, images of one size together.

    Args:
        encode: Function from images (b, 3, h, w) to vectors (b, D).
        batch: B samples.

    Returns:
        (B, D).
    """
    results: dict[int, Tensor] = {}
    for indices in group_indices(get_valid_size(sample) for sample in batch).values():
        images = torch.stack([crop_to_image(batch[index]) for index in indices])
        results.update(zip(indices, encode(images), strict=True))
    return torch.stack([results[index] for index in range(len(batch))])


def group_indices(values: Iterable[T]) -> dict[T, list[int]]:
    """Return the indices at which each value occurs, in the order of its first occurrence."""
    groups: dict[T, list[int]] = {}
    for index, value in enumerate(values):
        groups.setdefault(value, []).append(index)
    return groups


def _round_side(length: int, stride: int) -> int:
    """Return the number of positions whose center lies inside `length` pixels, at least one."""
    return max(1, (length + stride // 2) // stride)


def _repeat_border(maps: Tensor, size: Grid) -> Tensor:
    """Repeat the last row and column of maps (B, C, h, w) up to a size: (B, C, H, W)."""
    rows, columns = size[0] - maps.shape[2], size[1] - maps.shape[3]
    wide = torch.cat([maps, maps[..., -1:].expand(-1, -1, -1, columns)], dim=3)
    return torch.cat([wide, wide[:, :, -1:].expand(-1, -1, rows, -1)], dim=2)
