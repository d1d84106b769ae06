"""One toybox scene: stuff behind, things in front, and everything that is known about it.

Scenes are addressed by (part, index): `scene("test", 3)` is the same picture on every machine, and the parts (train,
val, test, crops ...) never share a scene because the part is in the address of every draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.grid import ONE, Plane, pixel_grid, rotate, sine
from benchmark.data.toybox.palette import STUFF_COLOURS, stray, thing_palette
from benchmark.data.toybox.stuff import STUFF
from benchmark.data.toybox.things import THINGS

SIZE = 64
"""Height and width of a scene in pixels."""

WORLD_VERSION = 2
"""Raised whenever a pixel of any scene changes."""

CLASSES: tuple[str, ...] = (*STUFF, *THINGS)
FAR, NEAR = 60_000, 5_000
"""Depths in millimetres of the farthest backdrop and the nearest thing."""

_FINE = 2 * SIZE


@dataclass(frozen=True)
class Scene:
    """A picture and its truth.

    Attributes:
        image: (SIZE, SIZE, 3) uint8 RGB.
        labels: (SIZE, SIZE) uint8, an index into `CLASSES` for every pixel, 255 for the backdrop of a portrait.
        depth_mm: (SIZE, SIZE) uint16, distance from the viewer in millimetres.
        tags: names of the classes that cover at least 1/64 of the picture, largest first.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    depth_mm: NDArray[np.uint16]
    tags: tuple[str, ...]


class _Canvas:
    """The picture while it is painted, at twice the final resolution."""

    def __init__(self) -> None:
        self.rgb: Plane = np.zeros((_FINE, _FINE, 3), dtype=np.int64)
        self.labels: Plane = np.zeros((_FINE, _FINE), dtype=np.int64)
        self.depth: Plane = np.full((_FINE, _FINE), FAR, dtype=np.int64)

    def paint(self, where: NDArray[np.bool_], *, name: str, rgb: Plane, depth: int) -> None:
        """Cover `where` (_FINE, _FINE) with one class; rgb is (_FINE, _FINE, 3) or (3,)."""
        self.rgb[where] = rgb[where] if rgb.ndim == 3 else rgb
        self.labels[where] = CLASSES.index(name)
        self.depth[where] = depth


def _textured(draws: KeyedRandom, name: str) -> Plane:
    """A full sheet of stuff, (_FINE, _FINE, 3)."""
    weight = STUFF[name](draws, _FINE)[..., None]
    low, high = (stray(draws, colour, reach=26) for colour in STUFF_COLOURS[name])
    return (low * (255 - weight) + high * weight) // 255


def _side_of_wavy_line(draws: KeyedRandom) -> NDArray[np.bool_]:
    """The region on one side of a wavy line at a random tilt."""
    x, y = rotate(*pixel_grid(_FINE), angle=draws.integer(0, 256))
    wave = sine(x * 256 // draws.integer(50, 110) + draws.integer(0, 256)) * draws.integer(0, 9) // ONE
    middle = y[_FINE // 2, _FINE // 2]
    return np.asarray(y + wave > middle + draws.integer(-26, 27))


def _add_thing(
    canvas: _Canvas, draws: KeyedRandom, *, name: str, depth: int, halves: tuple[int, int], margin: int
) -> None:
    """Paint one object at a random place, size, tilt and handedness.

    Args:
        halves: smallest and largest half width, in pixels of the canvas.
        margin: of the canvas, in which its centre does not lie.
    """
    x, y = pixel_grid(_FINE)
    half = draws.integer(*halves)
    centre_x, centre_y = draws.integer(margin, _FINE - margin), draws.integer(margin, _FINE - margin)
    u, v = rotate((x - centre_x) * 100 // half, (y - centre_y) * 100 // half, angle=draws.integer(-20, 21))
    u = -u if draws.chance(50) else u
    palette = thing_palette(draws, name)
    for part in THINGS[name]:
        canvas.paint(part.covers(u, v), name=name, rgb=palette[part.colour], depth=depth)


def _shrink(fine: Plane) -> Plane:
    """Mean over 2x2 blocks, (_FINE, _FINE, 3) to (SIZE, SIZE, 3)."""
    return (fine[::2, ::2] + fine[1::2, ::2] + fine[::2, 1::2] + fine[1::2, 1::2] + 2) // 4


def tags_of(labels: NDArray[np.uint8], *, classes: tuple[str, ...] = CLASSES) -> tuple[str, ...]:
    """Names that cover at least 1/64 of a label map, largest first."""
    areas = np.bincount(labels.ravel(), minlength=len(classes))[: len(classes)]
    order = np.argsort(-areas, kind="stable")
    return tuple(classes[index] for index in order if areas[index] * 64 >= labels.size)


def scene(part: str, index: int) -> Scene:
    """Draw scene `index` of a part.

    Args:
        part: the name of a disjoint family of scenes ("train", "val", "test", ...).
        index: from 0; there is no last one.
    """
    draws = KeyedRandom("toybox", WORLD_VERSION, part, index)
    canvas = _Canvas()
    stuff = draws.sample(tuple(STUFF), draws.integer(1, 3))
    things = draws.sample(tuple(THINGS), draws.integer(1, 3))
    for layer, name in enumerate(stuff):
        where = np.ones((_FINE, _FINE), dtype=bool) if layer == 0 else _side_of_wavy_line(draws)
        canvas.paint(where, name=name, rgb=_textured(draws, name), depth=FAR - layer * 10_000)
    for layer, name in enumerate(things):
        _add_thing(canvas, draws, name=name, depth=NEAR + (len(things) - layer) * 5_000, halves=(28, 50), margin=26)
    return _developed(canvas, draws)


def portrait(part: str, index: int, *, classes: tuple[str, ...] = CLASSES) -> Scene:
    """Draw one of `classes` by itself: a thing on a plain backdrop (labelled 255), or stuff and nothing else."""
    draws = KeyedRandom("toybox portrait", WORLD_VERSION, part, index)
    canvas = _Canvas()
    name = draws.pick(classes)
    everywhere = np.ones((_FINE, _FINE), dtype=bool)
    if name in STUFF:
        canvas.paint(everywhere, name=name, rgb=_textured(draws, name), depth=FAR)
    else:
        canvas.rgb[:] = draws.integers(0, 256, shape=(3,))
        canvas.labels[:] = 255
        _add_thing(canvas, draws, name=name, depth=NEAR, halves=(32, 58), margin=52)
    return _developed(canvas, draws)


def _developed(canvas: _Canvas, draws: KeyedRandom) -> Scene:
    """The scene that a painted canvas shows, with exposure and noise."""
    gain = draws.integer(210, 290)
    noise = draws.integers(-7, 8, shape=(SIZE, SIZE, 3))
    image = np.clip(_shrink(canvas.rgb) * gain // 256 + noise, 0, 255).astype(np.uint8)
    labels = canvas.labels[::2, ::2].astype(np.uint8)
    return Scene(image, labels, canvas.depth[::2, ::2].astype(np.uint16), tags_of(labels))
