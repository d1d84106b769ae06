"""The things of the toybox: ten objects, each a list of colored shapes in a frame of ±100 units, y pointing down.

Colors are indices into the palette of the class: 0 is the body (its hue varies), 1 the accent, 2 dark, 3 light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.data.toybox.grid import Plane, fill_ellipse, fill_polygon

BODY, ACCENT, DARK, LIGHT = 0, 1, 2, 3


@dataclass(frozen=True)
class Oval:
    """An axis-parallel ellipse.

    Attributes:
        color: Index into the palette of the class.
        center: Center (u, v).
        radii: Horizontal and vertical radius.
    """

    color: int
    center: tuple[int, int]
    radii: tuple[int, int]

    def covers(self, u: Plane, v: Plane) -> NDArray[np.bool_]:
        """Return which points, given by coordinates (H, W), are inside: (H, W)."""
        return fill_ellipse(u, v, center=self.center, radii=self.radii)


@dataclass(frozen=True)
class Shape:
    """A polygon.

    Attributes:
        color: Index into the palette of the class.
        corners: Corners (u, v) in order.
    """

    color: int
    corners: tuple[tuple[int, int], ...]

    def covers(self, u: Plane, v: Plane) -> NDArray[np.bool_]:
        """Return which points, given by coordinates (H, W), are inside: (H, W)."""
        return fill_polygon(u, v, corners=self.corners)


def _make_box(color: int, left: int, top: int, right: int, bottom: int) -> Shape:
    return Shape(color, ((left, top), (right, top), (right, bottom), (left, bottom)))


_STAR = ((0, -100), (25, -33), (95, -31), (40, 12), (59, 81), (0, 42), (-59, 81), (-40, 12), (-95, -31), (-25, -33))
_PETALS = ((0, -58), (55, -18), (34, 47), (-34, 47), (-55, -18))

THINGS: dict[str, tuple[Oval | Shape, ...]] = {
    "ball": (Oval(BODY, (0, 0), (92, 92)), Oval(LIGHT, (0, 0), (92, 30)), Oval(ACCENT, (0, 0), (26, 26))),
    "star": (Shape(BODY, _STAR), Oval(LIGHT, (0, 5), (20, 20))),
    "tree": (_make_box(ACCENT, -16, 20, 16, 100), Oval(BODY, (0, -30), (72, 66)), Oval(DARK, (24, -14), (22, 18))),
    "house": (
        _make_box(BODY, -75, -15, 75, 90),
        Shape(ACCENT, ((-98, -12), (0, -98), (98, -12))),
        _make_box(DARK, -22, 25, 18, 90),
        _make_box(LIGHT, 32, 10, 60, 40),
    ),
    "car": (
        _make_box(BODY, -98, -8, 98, 42),
        Shape(BODY, ((-62, -8), (-38, -56), (38, -56), (66, -8))),
        Shape(LIGHT, ((-46, -10), (-30, -44), (30, -44), (46, -10))),
        Oval(DARK, (-52, 44), (27, 27)),
        Oval(DARK, (52, 44), (27, 27)),
    ),
    "fish": (
        Shape(ACCENT, ((40, 0), (100, -52), (100, 52))),
        Oval(BODY, (-14, 0), (80, 48)),
        Oval(LIGHT, (-58, -12), (14, 14)),
        Oval(DARK, (-60, -12), (7, 7)),
        Shape(ACCENT, ((-20, -4), (22, 18), (-16, 26))),
    ),
    "mushroom": (
        _make_box(LIGHT, -24, 0, 24, 96),
        Shape(BODY, ((-96, 10), (-78, -42), (-34, -76), (34, -76), (78, -42), (96, 10))),
        Oval(LIGHT, (-40, -26), (18, 16)),
        Oval(LIGHT, (34, -34), (20, 18)),
        Oval(LIGHT, (0, -6), (12, 10)),
    ),
    "cup": (
        Oval(ACCENT, (58, 4), (42, 42)),
        Oval(DARK, (58, 4), (20, 20)),
        Shape(BODY, ((-82, -70), (60, -70), (42, 84), (-64, 84))),
        Oval(LIGHT, (-11, -70), (71, 20)),
    ),
    "flower": (*(Oval(BODY, center, (42, 42)) for center in _PETALS), Oval(ACCENT, (0, 0), (34, 34))),
    "boat": (
        Shape(BODY, ((-98, 34), (98, 34), (62, 88), (-62, 88))),
        _make_box(DARK, -6, -98, 6, 34),
        Shape(LIGHT, ((10, -92), (84, 24), (10, 24))),
        Shape(ACCENT, ((-10, -70), (-66, 24), (-10, 24))),
    ),
}
