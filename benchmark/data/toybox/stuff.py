"""The stuff of the toybox: sixteen textures without a shape of their own.

A texture is a function of (draws, size) that returns mixing weights between the two colors of its class: (size, size)
in 0-255.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.grid import Plane, compute_sine, draw_smooth_noise, make_pixel_grid, rotate

Texture = Callable[[KeyedRandom, int], Plane]


def _draw_grass(draws: KeyedRandom, size: int) -> Plane:
    blades = draw_smooth_noise(draws, size, cell=2, stretch=5)
    return np.clip((blades - 128) * 2 + 128, 0, 255)


def _draw_water(draws: KeyedRandom, size: int) -> Plane:
    x, y = make_pixel_grid(size)
    period = draws.draw_integer(10, 15)
    bend = compute_sine(x * 256 // draws.draw_integer(28, 44) + draws.draw_integer(0, 256)) * 3 // 1024
    return 128 + compute_sine((y + bend) * 256 // period + draws.draw_integer(0, 256)) * 120 // 1024


def _draw_sand(draws: KeyedRandom, size: int) -> Plane:
    grains = draws.draw_integers(0, 256, shape=(size, size))
    return np.where(grains < 36, 0, 170 + grains // 4)


def _draw_brick_wall(draws: KeyedRandom, size: int) -> Plane:
    x, y = make_pixel_grid(size)
    height, width = draws.draw_integer(9, 13), draws.draw_integer(18, 26)
    y = y + draws.draw_integer(0, height)
    row = y // height
    x = x + draws.draw_integer(0, width) + (row % 2) * (width // 2)
    mortar = (y % height < 2) | (x % width < 2)
    tone = (row * 7919 + (x // width) * 104729) % 60
    return np.where(mortar, 255, tone)


def _draw_wood_floor(draws: KeyedRandom, size: int) -> Plane:
    _, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(-10, 11))
    plank = draws.draw_integer(14, 20)
    grain = draw_smooth_noise(draws, size, cell=3, stretch=1)
    wave = compute_sine((y * 3 + grain // 16) * 8 + (y // plank) * 57)
    tone = 110 + wave * 60 // 1024 + (y // plank) * 7919 % 50
    return np.where(y % plank < 2, 255, np.clip(tone, 0, 255))


def _draw_tiled_floor(draws: KeyedRandom, size: int) -> Plane:
    x, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(-16, 17))
    tile = draws.draw_integer(12, 18)
    odd: Plane = (x // tile + y // tile) % 2
    seam = (x % tile < 1) | (y % tile < 1)
    return np.asarray(np.where(seam, 128, odd * 255), dtype=np.int64)


def _draw_sky(draws: KeyedRandom, size: int) -> Plane:
    clouds: Plane = (draw_smooth_noise(draws, size, cell=24) + draw_smooth_noise(draws, size, cell=11) // 2) * 2 // 3
    return np.clip((clouds - 120) * 4, 0, 255)


def _draw_gravel(draws: KeyedRandom, size: int) -> Plane:
    step = draws.draw_integer(9, 13)
    nearest, second = _measure_cells(draws, size, step=step)
    return np.where(second - nearest < 2 * step, 0, np.clip(255 - nearest * 3, 90, 255))


def _measure_cells(draws: KeyedRandom, size: int, *, step: int) -> tuple[Plane, Plane]:
    """Draw one point in every cell of a lattice and return the squared distances to the two nearest.

    Args:
        draws: Source of randomness.
        size: Side of the plane in pixels.
        step: Side of a cell in pixels.

    Returns:
        Distance to the nearest and to the second nearest point, (size, size) each.
    """
    x, y = make_pixel_grid(size)
    cells = size // step + 3
    jitter = draws.draw_integers(0, step * 3 // 4, shape=(2, cells, cells))
    nearest = np.full((size, size), 1 << 40, dtype=np.int64)
    second = nearest.copy()
    for dy in (0, 1, 2):
        for dx in (0, 1, 2):
            i, j = y // step + dy, x // step + dx
            py, px = (i - 1) * step + jitter[0, i, j], (j - 1) * step + jitter[1, i, j]
            distance = (x - px) ** 2 + (y - py) ** 2
            second = np.minimum(second, np.maximum(nearest, distance))
            nearest = np.minimum(nearest, distance)
    return nearest, second


def _draw_snow(draws: KeyedRandom, size: int) -> Plane:
    drifts = draw_smooth_noise(draws, size, cell=17) // 3
    sparkle = draws.draw_integers(0, 100, shape=(size, size)) < 2
    return np.where(sparkle, 255, drifts)


def _draw_carpet(draws: KeyedRandom, size: int) -> Plane:
    x, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(-10, 11))
    period = draws.draw_integer(12, 18)
    fold = np.abs(x % period - period // 2)
    return np.where((y + fold + draws.draw_integer(0, period)) % period < period // 2, 255, 0)


def _draw_marble(draws: KeyedRandom, size: int) -> Plane:
    x, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(0, 256))
    bend = draw_smooth_noise(draws, size, cell=20) + draw_smooth_noise(draws, size, cell=9) // 3
    veins: Plane = np.abs(compute_sine((x + y // 4) * 256 // draws.draw_integer(36, 54) + bend))
    return np.clip(255 - veins * 3 // 4, 0, 255)


def _draw_lava(draws: KeyedRandom, size: int) -> Plane:
    nearest, second = _measure_cells(draws, size, step=draws.draw_integer(16, 22))
    rim: Plane = 255 - (second - nearest) * 2
    return np.clip(rim, 0, 255)


def _draw_bamboo(draws: KeyedRandom, size: int) -> Plane:
    x, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(-8, 9))
    width, length = draws.draw_integer(10, 14), draws.draw_integer(24, 34)
    stem = x // width
    shade = np.abs(x % width - width // 2) * 300 // width
    is_node = (y + stem * 7919) % length < 3
    return np.where(is_node | (x % width < 1), 255, shade)


def _draw_roof(draws: KeyedRandom, size: int) -> Plane:
    x, y = make_pixel_grid(size)
    width = draws.draw_integer(13, 18)
    height = width * 2 // 3
    y = y + draws.draw_integer(0, height)
    row = y // height
    x = x + draws.draw_integer(0, width) + (row % 2) * (width // 2)
    # each tile hangs as a half disk from its row
    across, down = x % width - width // 2, y % height
    return np.where(4 * across * across + down * down * 3 < width * width, down * 160 // height, 255)


def _draw_polka_dots(draws: KeyedRandom, size: int) -> Plane:
    x, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(-16, 17))
    period = draws.draw_integer(14, 20)
    y = y + draws.draw_integer(0, period)
    x = x + draws.draw_integer(0, period) + (y // period % 2) * (period // 2)
    across, down = x % period - period // 2, y % period - period // 2
    return np.where((across * across + down * down) * 10 < period * period, 255, 0)


def _draw_plaid(draws: KeyedRandom, size: int) -> Plane:
    x, y = rotate(*make_pixel_grid(size), angle=draws.draw_integer(24, 41))
    period = draws.draw_integer(18, 26)
    x, y = x + draws.draw_integer(0, period), y + draws.draw_integer(0, period)
    wide = (x % period < period // 2) * 90 + (y % period < period // 2) * 90
    return np.asarray(np.where((x % period == period // 4) | (y % period == period // 4), 255, wide), dtype=np.int64)


STUFF: dict[str, Texture] = {
    "grass": _draw_grass,
    "water": _draw_water,
    "sand": _draw_sand,
    "brick wall": _draw_brick_wall,
    "wood floor": _draw_wood_floor,
    "tiled floor": _draw_tiled_floor,
    "sky": _draw_sky,
    "gravel": _draw_gravel,
    "snow": _draw_snow,
    "carpet": _draw_carpet,
    "marble": _draw_marble,
    "lava": _draw_lava,
    "bamboo": _draw_bamboo,
    "roof": _draw_roof,
    "polka dots": _draw_polka_dots,
    "plaid": _draw_plaid,
}
