"""Toybox scenes: stuff in the background, things in front, with labels, depth and tags.

A scene is a function of (subset, index): `draw_scene("test", 3)` is the same image on every machine. The subsets
(train, val, test, crops ...) share no scene because the subset is part of the RNG key.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.canvas import (
    CANVAS_SIZE,
    FAR,
    NO_LABEL,
    Canvas,
    Placement,
    add_object,
    mix_colors,
    render_rgb,
)
from benchmark.data.toybox.grid import ONE, Plane, compute_sine, make_pixel_grid, rotate
from benchmark.data.toybox.palette import STUFF_COLORS, draw_thing_palette
from benchmark.data.toybox.stuff import STUFF
from benchmark.data.toybox.things import THINGS

TOYBOX_VERSION = 3
"""Version of the scenes; raised when a pixel of any scene changes."""

CLASSES: tuple[str, ...] = (*STUFF, *THINGS)
NEAR = 5_000
"""Depth of the nearest thing in millimeters."""

_IN_SCENE = Placement(halves=(34, 56), margin=34)
_IN_PORTRAIT = Placement(halves=(32, 58), margin=52)


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
    canvas = Canvas()
    stuff = draws.sample(tuple(STUFF), draws.draw_integer(1, 3))
    things = draws.sample(tuple(THINGS), draws.draw_integer(1, 3))
    for layer, name in enumerate(stuff):
        # the first texture fills the canvas, the second covers one side of a line
        area = np.ones((CANVAS_SIZE, CANVAS_SIZE), dtype=bool) if layer == 0 else _draw_side_of_wavy_line(draws)
        rgb = _draw_texture(draws, name)
        canvas.paint(area, label=CLASSES.index(name), rgb=rgb, depth=FAR - layer * 10_000)
    for layer, name in enumerate(things):
        _add_thing(canvas, draws, name, depth=NEAR + (len(things) - layer) * 5_000, placement=_IN_SCENE)
    return _render(canvas, draws)


def draw_portrait(subset: str, index: int, *, classes: tuple[str, ...] = CLASSES) -> ToyScene:
    """Draw a single class: a thing on a plain background (label 255), or stuff that fills the image.

    Args:
        subset: Name of a disjoint family of portraits.
        index: Index from 0, without upper bound.
        classes: Names of the classes to choose from.
    """
    draws = KeyedRandom("toybox portrait", TOYBOX_VERSION, subset, index)
    canvas = Canvas()
    name = draws.pick(classes)
    if name in STUFF:
        canvas.fill(label=CLASSES.index(name), rgb=_draw_texture(draws, name))
    else:
        canvas.fill(label=NO_LABEL, rgb=draws.draw_integers(0, 256, shape=(3,)))
        _add_thing(canvas, draws, name, depth=NEAR, placement=_IN_PORTRAIT)
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


def _draw_texture(draws: KeyedRandom, name: str) -> Plane:
    """Draw a full canvas of stuff: (CANVAS_SIZE, CANVAS_SIZE, 3)."""
    return mix_colors(draws, STUFF[name](draws, CANVAS_SIZE), STUFF_COLORS[name])


def _draw_side_of_wavy_line(draws: KeyedRandom) -> NDArray[np.bool_]:
    """Draw the region on one side of a wavy line at a random angle: (CANVAS_SIZE, CANVAS_SIZE)."""
    x, y = rotate(*make_pixel_grid(CANVAS_SIZE), angle=draws.draw_integer(0, 256))
    wavelength, phase, amplitude = draws.draw_integer(50, 110), draws.draw_integer(0, 256), draws.draw_integer(0, 9)
    wave = compute_sine(x * 256 // wavelength + phase) * amplitude // ONE
    middle = y[CANVAS_SIZE // 2, CANVAS_SIZE // 2]
    return np.asarray(y + wave > middle + draws.draw_integer(-26, 27))


def _add_thing(canvas: Canvas, draws: KeyedRandom, name: str, *, depth: int, placement: Placement) -> None:
    """Paint one thing of a class."""
    add_object(
        canvas,
        draws,
        THINGS[name],
        palette=draw_thing_palette(draws, name),
        label=CLASSES.index(name),
        depth=depth,
        placement=placement,
    )


def _render(canvas: Canvas, draws: KeyedRandom) -> ToyScene:
    image = render_rgb(canvas, draws)
    labels = canvas.labels[::2, ::2].astype(np.uint8)
    return ToyScene(image, labels, canvas.depth[::2, ::2].astype(np.uint16), list_tags(labels))
