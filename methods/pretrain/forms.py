"""Forms: random textures and random objects, none of them a class of toybox, for the pre-training of a body.

A form is to a class of toybox what a class of ImageNet is to one of a segmentation dataset: the same kind of image, and
no name in common. So a body that was pre-trained on forms has seen no class that any split of toybox could withhold.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.canvas import CANVAS_SIZE, NO_LABEL, Canvas, Placement, add_object, mix_colors, render_rgb
from benchmark.data.toybox.grid import Plane, compute_sine, draw_smooth_noise, make_pixel_grid, rotate
from benchmark.data.toybox.palette import vary_color
from benchmark.data.toybox.things import Oval, Polygon

NUM_TEXTURES, NUM_OBJECTS = 32, 32
NUM_FORMS = NUM_TEXTURES + NUM_OBJECTS

_PLACEMENT = Placement(halves=(32, 58), margin=48)
_NUM_COLORS = 4


def draw_form(subset: str, index: int) -> tuple[NDArray[np.uint8], int]:
    """Draw an image of a random form: a texture that fills it, or an object on a plain background.

    Args:
        subset: Name of a disjoint family of images.
        index: Index from 0, without upper bound.

    Returns:
        Image (SIZE, SIZE, 3) and number of the form, textures first.
    """
    draws, canvas = KeyedRandom("form", subset, index), Canvas()
    number = draws.draw_integer(0, NUM_FORMS)
    if number < NUM_TEXTURES:
        canvas.fill(label=NO_LABEL, rgb=_draw_texture(draws, number))
    else:
        canvas.fill(label=NO_LABEL, rgb=draws.draw_integers(0, 256, shape=(3,)))
        _add_form(canvas, draws, number)
    return render_rgb(canvas, draws), number


def _draw_texture(draws: KeyedRandom, number: int) -> Plane:
    """Draw a texture: its pattern and its two colors are those of the form, phases and tones those of the image."""
    form = KeyedRandom("form texture", number)
    pattern = form.pick(_PATTERNS)
    low, high = form.draw_integers(0, 256, shape=(2, 3)).tolist()
    return mix_colors(draws, pattern(form, draws), (tuple(low), tuple(high)))


def _draw_waves(form: KeyedRandom, draws: KeyedRandom) -> Plane:
    """Draw wavy stripes: (CANVAS_SIZE, CANVAS_SIZE) in 0-255."""
    x, y = rotate(*make_pixel_grid(CANVAS_SIZE), angle=form.draw_integer(0, 128) + draws.draw_integer(-8, 9))
    period, bend = form.draw_integer(9, 24), form.draw_integer(0, 12)
    wave = compute_sine(x * 256 // form.draw_integer(24, 60) + draws.draw_integer(0, 256)) * bend // 1024
    return 128 + compute_sine((y + wave) * 256 // period + draws.draw_integer(0, 256)) * 120 // 1024


def _draw_checks(form: KeyedRandom, draws: KeyedRandom) -> Plane:
    """Draw a lattice of boxes: (CANVAS_SIZE, CANVAS_SIZE) in 0-255."""
    x, y = rotate(*make_pixel_grid(CANVAS_SIZE), angle=form.draw_integer(0, 64) + draws.draw_integer(-8, 9))
    width, height = form.draw_integer(8, 22), form.draw_integer(8, 22)
    x, y = x + draws.draw_integer(0, width), y + draws.draw_integer(0, height)
    x = x + (y // height % 2) * (width * form.draw_integer(0, 3) // 4)
    is_filled = (x % width < width * form.draw_integer(30, 80) // 100) & (y % height < height * 6 // 10)
    return np.where(is_filled, 255, 0)


def _draw_clouds(form: KeyedRandom, draws: KeyedRandom) -> Plane:
    """Draw smooth noise: (CANVAS_SIZE, CANVAS_SIZE) in 0-255."""
    noise = draw_smooth_noise(draws, CANVAS_SIZE, cell=form.draw_integer(2, 18), stretch=form.draw_integer(1, 4))
    return np.clip((noise - 128) * form.draw_integer(2, 5) + 128, 0, 255)


_PATTERNS: tuple[Callable[[KeyedRandom, KeyedRandom], Plane], ...] = (_draw_waves, _draw_checks, _draw_clouds)


def _add_form(canvas: Canvas, draws: KeyedRandom, number: int) -> None:
    """Paint an object: its shapes and colors are those of the form, tones, size and position those of the image."""
    form = KeyedRandom("form object", number)
    shapes = [_draw_part(form, reach=80, radii=(50, 96))]
    shapes += [_draw_part(form, reach=50, radii=(14, 46)) for _ in range(form.draw_integer(2, 5))]
    colors = form.draw_integers(0, 256, shape=(_NUM_COLORS, 3)).tolist()
    palette = [vary_color(draws, tuple(color), reach=36) for color in colors]
    add_object(canvas, draws, shapes, palette=palette, label=NO_LABEL, depth=0, placement=_PLACEMENT)


def _draw_part(form: KeyedRandom, *, reach: int, radii: tuple[int, int]) -> Oval | Polygon:
    """Draw an ellipse, or a polygon of three to seven corners around a center.

    Args:
        form: Source of randomness of the form.
        reach: Range of the center; a part of large radius stays in the middle.
        radii: Smallest and largest radius.
    """
    color = form.draw_integer(0, _NUM_COLORS)
    span = max(1, min(reach, 100 - radii[1] + 10))
    u, v = (form.draw_integer(-span, span + 1) for _ in range(2))
    if form.draw_bool(40):
        return Oval(color, (u, v), (form.draw_integer(*radii), form.draw_integer(*radii)))
    corners = form.draw_integer(3, 8)
    angles = np.array([256 * corner // corners + form.draw_integer(-10, 11) for corner in range(corners)])
    lengths = form.draw_integers(*radii, shape=(corners,))
    points = np.stack([u + compute_sine(angles) * lengths // 1024, v + compute_sine(angles + 64) * lengths // 1024])
    return Polygon(color, tuple((int(x), int(y)) for x, y in points.T))
