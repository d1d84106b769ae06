"""A lattice of pixels as points that show themselves: the projection of MCFA is the identity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from methods.blocks.mcfa.alignment import LabeledPixels
from methods.blocks.padding import Grid
from methods.blocks.resizing import resize_maps


def make_lattice(labels: Tensor, sizes: Sequence[Grid], *, step: int) -> LabeledPixels:
    """Return the pixels of a lattice in row-major order, image after image.

    Args:
        labels: (B, H, W) long.
        sizes: Height and width of each of the B images without its padding.
        step: Distance of neighboring pixels.
    """
    rows, columns = (_place(length, step, labels.device) for length in labels.shape[1:])
    images = torch.arange(len(labels), device=labels.device, dtype=rows.dtype)
    image, v, u = torch.meshgrid(images, rows, columns, indexing="ij")
    height, width = torch.tensor(sizes, device=labels.device).T[:, :, None, None]  # (B, 1, 1) each
    return LabeledPixels(
        image=image.long().flatten(),
        uv=torch.stack([u, v], dim=-1).flatten(0, 2),
        is_valid=((v < height) & (u < width)).flatten(),
        labels=labels[:, rows.long()][:, :, columns.long()].flatten(),
    )


def read_lattice(maps: Tensor, size: Sequence[int], *, step: int) -> Tensor:
    """Read maps at the pixels of a lattice, interpolated bilinearly.

    Args:
        maps: (B, C, h, w).
        size: Height H and width W of the labels that the lattice was made for.
        step: Distance of neighboring pixels.

    Returns:
        (N, C) in the order of `make_lattice`.
    """
    fine = resize_maps(maps, [_count(length, step) for length in size])
    return fine.permute(0, 2, 3, 1).flatten(0, 2)


def _count(length: int, step: int) -> int:
    return max(1, length // step)


def _place(length: int, step: int, device: torch.device) -> Tensor:
    """Return the coordinates of a row of pixels: the centers of equal parts of a length."""
    count = _count(length, step)
    return (torch.arange(count, device=device) + 0.5) * (length / count)
