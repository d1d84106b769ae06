"""The canvas on which toybox images are painted, at twice their resolution, and the rendering to pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.grid import Plane, make_pixel_grid, rotate
from benchmark.data.toybox.palette import vary_color
from benchmark.data.toybox.things import Shape

SIZE = 64
"""Height and width of an image in pixels."""

CANVAS_SIZE = 2 * SIZE
FAR = 60_000
"""Depth of the farthest background in millimeters."""

NO_LABEL = 255
"""Label of a plain background."""


@dataclass(frozen=True)
class Placement:
    """Range of the positions and sizes of an object, in pixels of the canvas.

    Attributes:
        halves: Smallest and largest half width.
        margin: Smallest distance of the center from the edges.
    """

    halves: tuple[int, int]
    margin: int


class Canvas:
    """An image while it is painted.

    Attributes:
        rgb: (CANVAS_SIZE, CANVAS_SIZE, 3) levels in 0-255.
        labels: (CANVAS_SIZE, CANVAS_SIZE), `NO_LABEL` where nothing is painted.
        depth: (CANVAS_SIZE, CANVAS_SIZE) millimeters.
    """

    def __init__(self) -> None:
        self.rgb: Plane = np.zeros((CANVAS_SIZE, CANVAS_SIZE, 3), dtype=np.int64)
        self.labels: Plane = np.full((CANVAS_SIZE, CANVAS_SIZE), NO_LABEL, dtype=np.int64)
        self.depth: Plane = np.full((CANVAS_SIZE, CANVAS_SIZE), FAR, dtype=np.int64)

    def paint(self, area: NDArray[np.bool_], *, label: int, rgb: Plane, depth: int) -> None:
        """Cover an area with one class.

        Args:
            area: (CANVAS_SIZE, CANVAS_SIZE) flags.
            label: Label of the class.
            rgb: (CANVAS_SIZE, CANVAS_SIZE, 3) or (3,) color.
            depth: Depth in millimeters.
        """
        self.rgb[area] = rgb[area] if rgb.ndim == 3 else rgb
        self.labels[area] = label
        self.depth[area] = depth

    def fill(self, *, label: int, rgb: Plane, depth: int = FAR) -> None:
        """Cover the whole canvas with one class; the arguments are those of `paint`."""
        self.paint(np.ones((CANVAS_SIZE, CANVAS_SIZE), dtype=bool), label=label, rgb=rgb, depth=depth)


def mix_colors(draws: KeyedRandom, weight: Plane, colors: tuple[tuple[int, int, int], tuple[int, int, int]]) -> Plane:
    """Mix two colors, each varied at random, into a texture.

    Args:
        draws: Source of randomness.
        weight: (H, W) weight of the second color in 0-255.
        colors: Two colors.

    Returns:
        (H, W, 3) levels in 0-255.
    """
    low, high = (vary_color(draws, color, reach=26) for color in colors)
    return (low * (255 - weight[..., None]) + high * weight[..., None]) // 255


def add_object(
    canvas: Canvas,
    draws: KeyedRandom,
    shapes: Sequence[Shape],
    *,
    palette: Sequence[Plane],
    label: int,
    depth: int,
    placement: Placement,
) -> None:
    """Paint one object at a random position, size and angle, possibly mirrored.

    Args:
        canvas: Canvas to paint on.
        draws: Source of randomness.
        shapes: Shapes of the object from back to front, in a frame of ±100 units.
        palette: (3,) color by index.
        label: Label of the class.
        depth: Depth in millimeters.
        placement: Range of positions and sizes.
    """
    # draw size, position, angle and mirroring; (u, v) are coordinates in the frame of the object
    x, y = make_pixel_grid(CANVAS_SIZE)
    half, margin = draws.draw_integer(*placement.halves), placement.margin
    center_x, center_y = (draws.draw_integer(margin, CANVAS_SIZE - margin) for _ in range(2))
    u, v = rotate((x - center_x) * 100 // half, (y - center_y) * 100 // half, angle=draws.draw_integer(-20, 21))
    u = -u if draws.draw_bool(50) else u
    for shape in shapes:
        canvas.paint(shape.covers(u, v), label=label, rgb=palette[shape.color], depth=depth)


def render_rgb(canvas: Canvas, draws: KeyedRandom) -> NDArray[np.uint8]:
    """Render a painted canvas with random exposure and noise: (SIZE, SIZE, 3)."""
    gain = draws.draw_integer(210, 290)
    noise = draws.draw_integers(-7, 8, shape=(SIZE, SIZE, 3))
    return np.asarray(np.clip(_shrink(canvas.rgb) * gain // 256 + noise, 0, 255), dtype=np.uint8)


def _shrink(fine: Plane) -> Plane:
    """Average blocks of 2x2 pixels, (CANVAS_SIZE, CANVAS_SIZE, 3) to (SIZE, SIZE, 3)."""
    return (fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2] + 2) // 4
