"""Integer plane geometry for the toybox: no float reaches a pixel, so a scene is the same on every machine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom

Plane = NDArray[np.int64]

ONE = 1024
"""The unit of fixed-point numbers."""

SINE: Plane = np.array([round(ONE * math.sin(2 * math.pi * step / 256)) for step in range(256)], dtype=np.int64)
"""ONE · sin, over a turn of 256 steps; rounding hides the last-bit differences of math libraries."""


def sine(angle: Plane) -> Plane:
    """ONE · sin of angles in 1/256 turns."""
    return SINE[angle % 256]


def rotate(x: Plane, y: Plane, *, angle: int) -> tuple[Plane, Plane]:
    """Turn coordinates by `angle` 1/256 turns."""
    sin, cos = int(SINE[angle % 256]), int(SINE[(angle + 64) % 256])
    return (cos * x + sin * y) // ONE, (cos * y - sin * x) // ONE


def pixel_grid(size: int) -> tuple[Plane, Plane]:
    """Column and row of every pixel, two (size, size) planes."""
    y, x = np.mgrid[0:size, 0:size].astype(np.int64)
    return x, y


def smooth_noise(draws: KeyedRandom, size: int, *, cell: int, stretch: int = 1) -> Plane:
    """Value noise in 0..255: random lattice values `cell` pixels apart (rows `cell * stretch`), joined linearly.

    Returns:
        (size, size).
    """
    steps = size // cell + 2
    lattice = draws.integers(0, 256, shape=(steps, steps))
    x, y = pixel_grid(size)
    row, column = cell * stretch, cell
    i, j, fy, fx = y // row, x // column, y % row, x % column
    top = lattice[i, j] * (column - fx) + lattice[i, j + 1] * fx
    bottom = lattice[i + 1, j] * (column - fx) + lattice[i + 1, j + 1] * fx
    return np.asarray((top * (row - fy) + bottom * fy) // (row * column), dtype=np.int64)


def ellipse(u: Plane, v: Plane, *, centre: tuple[int, int], radii: tuple[int, int]) -> NDArray[np.bool_]:
    """Points inside an axis-parallel ellipse."""
    du, dv = (u - centre[0]) * radii[1], (v - centre[1]) * radii[0]
    return np.asarray(du * du + dv * dv < (radii[0] * radii[1]) ** 2)


def polygon(u: Plane, v: Plane, *, corners: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    """Points inside a polygon, by the even-odd rule."""
    inside = np.zeros(u.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if ay == by:
            continue
        crosses = (v < ay) != (v < by)
        left = (u - ax) * (by - ay) < (bx - ax) * (v - ay)
        inside ^= crosses & (left if by > ay else ~left)
    return inside
