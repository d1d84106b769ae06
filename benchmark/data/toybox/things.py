"""The things of the toybox: sixteen objects, each a list of colored shapes in a frame of ±100 units, y pointing down.

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
class Polygon:
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


@dataclass(frozen=True)
class Stripes:
    """Parallel stripes on a shape.

    Attributes:
        color: Index into the palette of the class.
        base: Shape that the stripes are on.
        normal: Direction across the stripes, in multiples of u and v.
        period: Distance from stripe to stripe, in multiples of the units.
        width: Width of a stripe, in the same unit.
    """

    color: int
    base: Oval | Polygon
    normal: tuple[int, int]
    period: int
    width: int

    def covers(self, u: Plane, v: Plane) -> NDArray[np.bool_]:
        """Return which points, given by coordinates (H, W), are on a stripe: (H, W)."""
        across = self.normal[0] * u + self.normal[1] * v
        return np.asarray(self.base.covers(u, v) & (across % self.period < self.width))


@dataclass(frozen=True)
class Spots:
    """A lattice of round spots on a shape.

    Attributes:
        color: Index into the palette of the class.
        base: Shape that the spots are on.
        period: Distance from spot to spot in both directions.
        radius: Radius of a spot.
    """

    color: int
    base: Oval | Polygon
    period: int
    radius: int

    def covers(self, u: Plane, v: Plane) -> NDArray[np.bool_]:
        """Return which points, given by coordinates (H, W), are on a spot: (H, W)."""
        du, dv = (axis % self.period - self.period // 2 for axis in (u, v))
        return np.asarray(self.base.covers(u, v) & (du * du + dv * dv < self.radius**2))


Shape = Oval | Polygon | Stripes | Spots


def _make_box(color: int, left: int, top: int, right: int, bottom: int) -> Polygon:
    return Polygon(color, ((left, top), (right, top), (right, bottom), (left, bottom)))


_STAR = ((0, -100), (25, -33), (95, -31), (40, 12), (59, 81), (0, 42), (-59, 81), (-40, 12), (-95, -31), (-25, -33))
_PETALS = ((0, -58), (55, -18), (34, 47), (-34, 47), (-55, -18))

_STAR_SHAPE = Polygon(BODY, _STAR)
_CROWN = Oval(BODY, (0, -30), (78, 68))
_WALLS = _make_box(BODY, -75, -15, 75, 90)
_FISH = Oval(BODY, (-14, 0), (80, 48))
_CUP = Polygon(BODY, ((-82, -70), (60, -70), (42, 84), (-64, 84)))
_HULL = Polygon(BODY, ((-98, 34), (98, 34), (62, 88), (-62, 88)))
_CANOPY = Polygon(BODY, ((-98, 2), (-84, -48), (-44, -84), (0, -96), (44, -84), (84, -48), (98, 2)))
_FUSELAGE = Polygon(BODY, ((-38, 70), (-42, -10), (-26, -64), (0, -100), (26, -64), (42, -10), (38, 70)))
_DIADEM = Polygon(BODY, ((-88, 74), (-98, -62), (-48, 0), (0, -92), (48, 0), (98, -62), (88, 74)))
_HEART = (
    Oval(BODY, (-45, -38), (50, 50)),
    Oval(BODY, (45, -38), (50, 50)),
    Polygon(BODY, ((-91, -16), (-30, -30), (30, -30), (91, -16), (0, 96))),
)
_ARMS = (
    _make_box(BODY, -84, -36, -50, 30),
    _make_box(BODY, -84, 6, 0, 36),
    _make_box(BODY, 50, -62, 84, 12),
    _make_box(BODY, 0, -12, 84, 18),
    _make_box(BODY, -26, -92, 26, 68),
)
_WINGS = (Oval(BODY, (-52, -38), (50, 56)), Oval(BODY, (52, -38), (50, 56)))
_BALL = Oval(BODY, (0, 0), (92, 92))

THINGS: dict[str, tuple[Shape, ...]] = {
    "ball": (_BALL, Stripes(LIGHT, _BALL, (1, 0), 64, 30), Oval(ACCENT, (0, 0), (26, 26))),
    "star": (_STAR_SHAPE, Spots(ACCENT, _STAR_SHAPE, 36, 11)),
    "tree": (_make_box(ACCENT, -18, 20, 18, 100), _CROWN, Spots(DARK, _CROWN, 44, 14)),
    "house": (
        _WALLS,
        Stripes(DARK, _WALLS, (0, 1), 24, 6),
        Polygon(ACCENT, ((-98, -12), (0, -98), (98, -12))),
        _make_box(DARK, -22, 25, 18, 90),
        _make_box(LIGHT, 32, 10, 60, 40),
    ),
    "car": (
        _make_box(BODY, -98, -12, 98, 46),
        Polygon(BODY, ((-66, -8), (-42, -64), (42, -64), (70, -8))),
        Polygon(LIGHT, ((-50, -12), (-34, -52), (34, -52), (50, -12))),
        Oval(DARK, (-52, 48), (29, 29)),
        Oval(DARK, (52, 48), (29, 29)),
        Oval(ACCENT, (-52, 48), (12, 12)),
        Oval(ACCENT, (52, 48), (12, 12)),
    ),
    "fish": (
        Polygon(ACCENT, ((40, 0), (100, -56), (100, 56))),
        _FISH,
        Stripes(ACCENT, _FISH, (1, 0), 36, 15),
        Oval(LIGHT, (-58, -12), (16, 16)),
        Oval(DARK, (-60, -12), (8, 8)),
    ),
    "mushroom": (
        _make_box(LIGHT, -26, 0, 26, 96),
        Polygon(BODY, ((-96, 10), (-78, -42), (-34, -76), (34, -76), (78, -42), (96, 10))),
        Oval(LIGHT, (-44, -26), (20, 18)),
        Oval(LIGHT, (34, -38), (22, 20)),
        Oval(LIGHT, (2, -8), (14, 12)),
    ),
    "cup": (
        Oval(ACCENT, (58, 4), (42, 42)),
        Oval(DARK, (58, 4), (20, 20)),
        _CUP,
        Stripes(LIGHT, _CUP, (0, 1), 44, 14),
        Oval(LIGHT, (-11, -70), (71, 20)),
    ),
    "flower": (*(Oval(BODY, center, (42, 42)) for center in _PETALS), Oval(ACCENT, (0, 0), (40, 40))),
    "boat": (
        _HULL,
        Stripes(DARK, _HULL, (0, 1), 20, 6),
        _make_box(DARK, -6, -98, 6, 34),
        Polygon(LIGHT, ((10, -92), (88, 26), (10, 26))),
        Polygon(ACCENT, ((-10, -76), (-74, 26), (-10, 26))),
    ),
    "umbrella": (
        _make_box(DARK, -6, -40, 6, 84),
        Polygon(DARK, ((-6, 84), (40, 84), (40, 62), (28, 62), (28, 72), (-6, 72))),
        _CANOPY,
        Stripes(ACCENT, _CANOPY, (1, 0), 50, 25),
    ),
    "rocket": (
        Polygon(ACCENT, ((-32, 10), (-84, 92), (84, 92), (32, 10))),
        _FUSELAGE,
        Stripes(ACCENT, _FUSELAGE, (0, 1), 56, 14),
        Polygon(ACCENT, ((-26, -64), (0, -100), (26, -64))),
        Oval(DARK, (0, -16), (20, 20)),
    ),
    "crown": (
        _DIADEM,
        Stripes(ACCENT, _DIADEM, (1, 1), 50, 16),
        _make_box(DARK, -90, 50, 90, 74),
    ),
    "butterfly": (
        *_WINGS,
        *(Spots(ACCENT, wing, 40, 13) for wing in _WINGS),
        Oval(ACCENT, (-42, 48), (40, 44)),
        Oval(ACCENT, (42, 48), (40, 44)),
        Oval(DARK, (0, 0), (12, 84)),
    ),
    "cactus": (
        *_ARMS,
        *(Stripes(LIGHT, arm, (1, 0), 22, 5) for arm in _ARMS),
        Polygon(ACCENT, ((-56, 56), (56, 56), (42, 98), (-42, 98))),
    ),
    "heart": (*_HEART, *(Stripes(LIGHT, part, (1, -1), 56, 14) for part in _HEART)),
}
