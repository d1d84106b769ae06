"""The lattice of pixels of the adaptation to images."""

from __future__ import annotations

import torch

from methods.blocks.mcfa import make_lattice, read_lattice


def test_pixels_are_the_centers_of_squares_with_the_labels_there() -> None:
    labels = torch.arange(2 * 4 * 6).view(2, 4, 6)
    pixels = make_lattice(labels, [(4, 6), (4, 6)], step=2)
    assert pixels.uv[:4].tolist() == [[1, 1], [3, 1], [5, 1], [1, 3]]
    assert pixels.labels[:4].tolist() == [7, 9, 11, 19]
    assert pixels.image.tolist() == [0] * 6 + [1] * 6


def test_padding_is_not_valid() -> None:
    pixels = make_lattice(torch.zeros(1, 4, 4, dtype=torch.long), [(4, 2)], step=2)
    assert pixels.is_valid.tolist() == [True, False, True, False]


def test_maps_are_read_in_the_order_of_the_pixels() -> None:
    maps = torch.arange(2 * 1 * 2 * 3.0).view(2, 1, 2, 3)
    assert read_lattice(maps, (4, 6), step=2).flatten().tolist() == list(range(12))
