"""Typical colors of every toybox class, and random variation around them."""

from __future__ import annotations

import numpy as np

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.grid import Plane

Rgb = tuple[int, int, int]

STUFF_COLORS: dict[str, tuple[Rgb, Rgb]] = {
    "grass": ((34, 84, 30), (120, 172, 70)),
    "water": ((24, 70, 140), (110, 170, 215)),
    "sand": ((160, 120, 70), (232, 206, 150)),
    "brick wall": ((150, 62, 44), (205, 196, 184)),
    "wood floor": ((168, 112, 62), (84, 50, 26)),
    "tiled floor": ((70, 74, 82), (214, 212, 200)),
    "sky": ((96, 160, 228), (244, 246, 250)),
    "gravel": ((58, 56, 54), (178, 172, 164)),
    "snow": ((236, 240, 248), (176, 196, 226)),
    "carpet": ((124, 36, 88), (216, 168, 92)),
}

THING_COLORS: dict[str, tuple[Rgb, Rgb]] = {
    "ball": ((220, 60, 50), (50, 80, 190)),
    "star": ((244, 206, 50), (250, 240, 170)),
    "tree": ((52, 130, 58), (104, 68, 38)),
    "house": ((222, 196, 150), (170, 58, 46)),
    "car": ((60, 100, 200), (200, 200, 205)),
    "fish": ((240, 136, 40), (200, 84, 30)),
    "mushroom": ((206, 44, 44), (240, 230, 210)),
    "cup": ((90, 190, 190), (70, 150, 160)),
    "flower": ((226, 110, 190), (246, 214, 70)),
    "boat": ((130, 74, 46), (226, 70, 60)),
}

DARK_RGB: Rgb = (44, 40, 44)
LIGHT_RGB: Rgb = (246, 244, 238)


def vary_color(draws: KeyedRandom, color: Rgb, *, reach: int) -> Plane:
    """Draw a color near `color`: each channel moves by up to `reach` levels.

    Returns:
        (3,) levels in 0-255.
    """
    return np.clip(np.array(color) + draws.draw_integers(-reach, reach + 1, shape=(3,)), 0, 255)


def draw_thing_palette(draws: KeyedRandom, name: str) -> list[Plane]:
    """Draw the body, accent, dark and light color of one object, (3,) each.

    One object in three permutes the channels of its body color, so that color alone does not identify a class.
    """
    body, accent = THING_COLORS[name]
    varied = vary_color(draws, body, reach=40)
    if draws.draw_bool(33):
        varied = varied[draws.sample((0, 1, 2), 3)]
    return [
        varied,
        vary_color(draws, accent, reach=30),
        vary_color(draws, DARK_RGB, reach=14),
        vary_color(draws, LIGHT_RGB, reach=8),
    ]
