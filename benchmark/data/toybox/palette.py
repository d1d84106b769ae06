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
    "marble": ((30, 74, 66), (200, 224, 208)),
    "lava": ((48, 22, 20), (250, 124, 24)),
    "bamboo": ((206, 196, 96), (92, 104, 36)),
    "roof": ((74, 88, 132), (30, 34, 58)),
    "polka dots": ((240, 232, 212), (24, 136, 140)),
    "plaid": ((168, 30, 44), (36, 44, 80)),
}

THING_COLORS: dict[str, tuple[Rgb, Rgb]] = {
    "ball": ((222, 58, 48), (50, 80, 190)),
    "star": ((246, 214, 60), (226, 120, 30)),
    "tree": ((46, 118, 52), (104, 68, 38)),
    "house": ((226, 204, 164), (150, 52, 40)),
    "car": ((48, 92, 204), (190, 190, 196)),
    "fish": ((244, 146, 44), (250, 226, 190)),
    "mushroom": ((190, 36, 40), (240, 230, 210)),
    "cup": ((84, 196, 190), (60, 140, 150)),
    "flower": ((232, 116, 200), (248, 216, 70)),
    "boat": ((134, 78, 48), (226, 70, 60)),
    "umbrella": ((112, 56, 178), (226, 186, 246)),
    "rocket": ((204, 210, 222), (216, 52, 44)),
    "crown": ((222, 170, 36), (170, 36, 100)),
    "butterfly": ((40, 60, 150), (250, 160, 60)),
    "cactus": ((110, 172, 70), (200, 108, 62)),
    "heart": ((240, 70, 120), (250, 190, 200)),
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

    One object in ten permutes the channels of its body color, so that color alone does not identify a class.
    """
    body, accent = THING_COLORS[name]
    varied = vary_color(draws, body, reach=32)
    if draws.draw_bool(10):
        varied = varied[draws.sample((0, 1, 2), 3)]
    return [
        varied,
        vary_color(draws, accent, reach=30),
        vary_color(draws, DARK_RGB, reach=14),
        vary_color(draws, LIGHT_RGB, reach=8),
    ]
