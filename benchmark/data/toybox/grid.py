"""Integer plane geometry for the toybox: no float reaches a pixel, so a scene is the same on every machine."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom

Plane = NDArray[np.int64]
"""An array of integers, usually one per pixel."""

ONE = 1024
"""The unit of fixed-point numbers."""

SINE: Plane = np.array([round(ONE * math.sin(2 * math.pi * step / 256)) for step in range(256)], dtype=np.int64)
"""(256,) ONE · sin over a turn of 256 steps; rounding hides the last-bit differences between math libraries."""


def compute_sine(angle: Plane) -> Plane:
    """Return ONE · sin of angles in 1/256 turns, in the shape of `angle`."""
    return SINE[angle % 256]


def rotate(x: Plane, y: Plane, *, angle: int) -> tuple[Plane, Plane]:
    """Rotate coordinates.

    Args:
        x: (H, W) horizontal coordinates.
        y: (H, W) vertical coordinates.
        angle: Angle in 1/256 turns.

    Returns:
        Rotated x and y, (H, W) each.
    """
    sin, cos = int(SINE[angle % 256]), int(SINE[(angle + 64) % 256])
    return (cos * x + sin * y) // ONE, (cos * y - sin * x) // ONE


def make_pixel_grid(size: int) -> tuple[Plane, Plane]:
    """Return the column and the row of every pixel, (size, size) each."""
    y, x = np.mgrid[0:size, 0:size].astype(np.int64)
    return x, y


def draw_smooth_noise(draws: KeyedRandom, size: int, *, cell: int, stretch: int = 1) -> Plane:
    """Draw value noise: random values on a lattice, interpolated linearly.

    Args:
        draws: Source of randomness.
        size: Side of the plane in pixels.
        cell: Horizontal distance of lattice points in pixels.
        stretch: Vertical distance of lattice points, in cells.

    Returns:
        (size, size) values in 0-255.
    """
    # draw the lattice: (steps, steps)
    steps = size // cell + 2
    lattice = draws.draw_integers(0, 256, shape=(steps, steps))
    # locate every pixel in its lattice cell: (size, size) each
    x, y = make_pixel_grid(size)
    row, column = cell * stretch, cell
    i, j, fy, fx = y // row, x // column, y % row, x % column
    # interpolate along the rows, then between them
    top = lattice[i, j] * (column - fx) + lattice[i, j + 1] * fx
    bottom = lattice[i + 1, j] * (column - fx) + lattice[i + 1, j + 1] * fx
    return np.asarray((top * (row - fy) + bottom * fy) // (row * column), dtype=np.int64)


def fill_ellipse(u: Plane, v: Plane, *, center: tuple[int, int], radii: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which points are inside an axis-parallel ellipse.

    Args:
        u: (H, W) horizontal coordinates.
        v: (H, W) vertical coordinates.
        center: Center (u, v).
        radii: Horizontal and vertical radius.

    Returns:
        (H, W).
    """
    du, dv = (u - center[0]) * radii[1], (v - center[1]) * radii[0]
    return np.asarray(du * du + dv * dv < (radii[0] * radii[1]) ** 2)


def fill_polygon(u: Plane, v: Plane, *, corners: tuple[tuple[int, int], ...]) -> NDArray[np.bool_]:
    """Return which points are inside a polygon, by the even-odd rule.

    Args:
        u: (H, W) horizontal coordinates.
        v: (H, W) vertical coordinates.
        corners: Corners (u, v) in order.

    Returns:
        (H, W).
    """
    inside = np.zeros(u.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, (*corners[1:], corners[0]), strict=True):
        if ay == by:
            continue
        # flip the points left of an edge that crosses their row
        crosses = (v < ay) != (v < by)
        left = (u - ax) * (by - ay) < (bx - ax) * (v - ay)
        inside ^= crosses & (left if by > ay else ~left)
    return inside
