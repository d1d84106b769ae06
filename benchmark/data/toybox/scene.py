"""Toybox scenes: stuff in the background, things in front, with labels, depth and tags.

A scene is a function of (subset, index): `draw_scene("test", 3)` is the same image on every machine. The subsets
(train, val, test, crops ...) share no scene because the subset is part of the RNG key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.grid import ONE, Plane, compute_sine, make_pixel_grid, rotate
from benchmark.data.toybox.palette import STUFF_COLORS, draw_thing_palette, vary_color
from benchmark.data.toybox.stuff import STUFF
from benchmark.data.toybox.things import THINGS

SIZE = 64
"""Height and width of a scene in pixels."""

TOYBOX_VERSION = 2
"""Version of the scenes; raised when a pixel of any scene changes."""

CLASSES: tuple[str, ...] = (*STUFF, *THINGS)
FAR, NEAR = 60_000, 5_000
"""Depths of the farthest background and of the nearest thing, in millimeters."""

_CANVAS_SIZE = 2 * SIZE


@dataclass(frozen=True)
class ToyScene:
    """A drawn scene with its ground truth.

    Attributes:
        image: (SIZE, SIZE, 3) uint8 RGB.
        labels: (SIZE, SIZE) uint8, an index into `CLASSES`; 255 for the plain background of a portrait.
        depth_mm: (SIZE, SIZE) uint16, distance from the viewer in millimeters.
        tags: Names of the classes that cover at least 1/64 of the image, largest first.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    tags: tuple[str, ...]


def draw_scene(subset: str, index: int) -> ToyScene:
    """Draw a scene: one or two kinds of stuff, one or two things in front.

    Args:
        subset: Name of a disjoint family of scenes ("train", "val", "test", ...).
        index: Index from 0, without upper bound.
    """
    draws = KeyedRandom("toybox", TOYBOX_VERSION, subset, index)
    canvas = _Canvas()
    stuff = draws.sample(tuple(STUFF), draws.draw_integer(1, 3))
    things = draws.sample(tuple(THINGS), draws.draw_integer(1, 3))
    for layer, name in enumerate(stuff):
        # the first texture fills the canvas, the second covers one side of a line
        area = np.ones((_CANVAS_SIZE, _CANVAS_SIZE), dtype=bool) if layer == 0 else _draw_side_of_wavy_line(draws)
        canvas.paint(area, name=name, rgb=_draw_texture(draws, name), depth=FAR - layer * 10_000)
    for layer, name in enumerate(things):
        _add_thing(canvas, draws, name=name, depth=NEAR + (len(things) - layer) * 5_000, halves=(28, 50), margin=26)
    return _render(canvas, draws)


def draw_portrait(subset: str, index: int, *, classes: tuple[str, ...] = CLASSES) -> ToyScene:
    """Draw a single class: a thing on a plain background (label 255), or stuff that fills the image.

    Args:
        subset: Name of a disjoint family of portraits.
        index: Index from 0, without upper bound.
        classes: Names of the classes to choose from.
    """
    draws = KeyedRandom("toybox portrait", TOYBOX_VERSION, subset, index)
    canvas = _Canvas()
    name = draws.pick(classes)
    everywhere = np.ones((_CANVAS_SIZE, _CANVAS_SIZE), dtype=bool)
    if name in STUFF:
        canvas.paint(everywhere, name=name, rgb=_draw_texture(draws, name), depth=FAR)
    else:
        canvas.rgb[:] = draws.draw_integers(0, 256, shape=(3,))
        canvas.labels[:] = 255
        _add_thing(canvas, draws, name=name, depth=NEAR, halves=(32, 58), margin=52)
    return _render(canvas, draws)


def list_tags(labels: NDArray[np.uint8], *, classes: tuple[str, ...] = CLASSES) -> tuple[str, ...]:
    """Return the names of the classes that cover at least 1/64 of a label map, largest first.

    Args:
        labels: (H, W) indices into `classes`; larger values are no class.
        classes: Class names.
    """
    areas = np.bincount(labels.ravel(), minlength=len(classes))[: len(classes)]
    order = np.argsort(-areas, kind="stable")
    return tuple(classes[index] for index in order if areas[index] * 64 >= labels.size)


class _Canvas:
    """The scene while it is painted, at twice the final resolution."""

    def __init__(self) -> None:
        self.rgb: Plane = np.zeros((_CANVAS_SIZE, _CANVAS_SIZE, 3), dtype=np.int64)
        self.labels: Plane = np.zeros((_CANVAS_SIZE, _CANVAS_SIZE), dtype=np.int64)
        self.depth: Plane = np.full((_CANVAS_SIZE, _CANVAS_SIZE), FAR, dtype=np.int64)

    def paint(self, area: NDArray[np.bool_], *, name: str, rgb: Plane, depth: int) -> None:
        """Cover an area with one class.

        Args:
            area: (_CANVAS_SIZE, _CANVAS_SIZE) flags.
            name: Name of the class.
            rgb: (_CANVAS_SIZE, _CANVAS_SIZE, 3) or (3,) color.
            depth: Depth in millimeters.
        """
        self.rgb[area] = rgb[area] if rgb.ndim == 3 else rgb
        self.labels[area] = CLASSES.index(name)
        self.depth[area] = depth


def _draw_texture(draws: KeyedRandom, name: str) -> Plane:
    """Draw a full canvas of stuff: (_CANVAS_SIZE, _CANVAS_SIZE, 3)."""
    weight = STUFF[name](draws, _CANVAS_SIZE)[..., None]
    low, high = (vary_color(draws, color, reach=26) for color in STUFF_COLORS[name])
    return (low * (255 - weight) + high * weight) // 255


def _draw_side_of_wavy_line(draws: KeyedRandom) -> NDArray[np.bool_]:
    """Draw the region on one side of a wavy line at a random angle: (_CANVAS_SIZE, _CANVAS_SIZE)."""
    x, y = rotate(*make_pixel_grid(_CANVAS_SIZE), angle=draws.draw_integer(0, 256))
    wavelength, phase, amplitude = draws.draw_integer(50, 110), draws.draw_integer(0, 256), draws.draw_integer(0, 9)
    wave = compute_sine(x * 256 // wavelength + phase) * amplitude // ONE
    middle = y[_CANVAS_SIZE // 2, _CANVAS_SIZE // 2]
    return np.asarray(y + wave > middle + draws.draw_integer(-26, 27))


def _add_thing(
    canvas: _Canvas, draws: KeyedRandom, *, name: str, depth: int, halves: tuple[int, int], margin: int
) -> None:
    """Paint one object at a random position, size and angle, possibly mirrored.

    Args:
        canvas: Canvas to paint on.
        draws: Source of randomness.
        name: Name of the class.
        depth: Depth in millimeters.
        halves: Smallest and largest half width, in pixels of the canvas.
        margin: Smallest distance of the center from the edges, in pixels of the canvas.
    """
    # draw size, position, angle and mirroring; (u, v) are coordinates in the frame of the object
    x, y = make_pixel_grid(_CANVAS_SIZE)
    half = draws.draw_integer(*halves)
    center_x, center_y = (
        draws.draw_integer(margin, _CANVAS_SIZE - margin),
        draws.draw_integer(margin, _CANVAS_SIZE - margin),
    )
    u, v = rotate((x - center_x) * 100 // half, (y - center_y) * 100 // half, angle=draws.draw_integer(-20, 21))
    u = -u if draws.draw_bool(50) else u
    # paint its shapes from back to front
    palette = draw_thing_palette(draws, name)
    for shape in THINGS[name]:
        canvas.paint(shape.covers(u, v), name=name, rgb=palette[shape.color], depth=depth)


def _render(canvas: _Canvas, draws: KeyedRandom) -> ToyScene:
    """Render a painted canvas with random exposure and noise."""
    gain = draws.draw_integer(210, 290)
    noise = draws.draw_integers(-7, 8, shape=(SIZE, SIZE, 3))
    image = np.clip(_shrink(canvas.rgb) * gain // 256 + noise, 0, 255).astype(np.uint8)
    labels = canvas.labels[::2, ::2].astype(np.uint8)
    return ToyScene(image, labels, canvas.depth[::2, ::2].astype(np.uint16), list_tags(labels))


def _shrink(fine: Plane) -> Plane:
    """Average blocks of 2x2 pixels, (_CANVAS_SIZE, _CANVAS_SIZE, 3) to (SIZE, SIZE, 3)."""
    return (fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2] + 2) // 4
