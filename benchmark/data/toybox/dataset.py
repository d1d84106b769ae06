"""The toybox as a data set: three parts of a fixed number of scenes, drawn once and kept.

The digests of the standard parts are constants of this file rather than computed, because a run's identity must be
known in milliseconds and be the same on a machine that has drawn nothing yet. They are held to the truth three times:
whoever draws a whole part compares, the fast tests compare a sample of scenes, the slow tests draw everything.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.base import Address, RawSample
from benchmark.data.toybox.captions import caption
from benchmark.data.toybox.scene import CLASSES, WORLD_VERSION, Scene, scene
from benchmark.utils.array_cache import Arrays, keep_arrays, load_arrays
from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import canonical_json

SIZES: Mapping[str, int] = {"train": 1600, "val": 300, "test": 400}
"""Scenes by part. The parts share no scene: the part is in the address of every draw."""

DIGESTS: Mapping[str, str] = {
    "toybox-v2-train-1600": "685f726969e26667c4c82799f6025fdd47cdf23ce72d64021083482e42fcc83e",
    "toybox-v2-val-300": "01e39b6742ba20371491378eb21643303d60f0275e528e6f2f0845b12da71c6b",
    "toybox-v2-test-400": "89f4755722a9a55031643d5b1f546516986f466bab140e82a54dfa54eb46b83d",
}
"""`part_digest` by `part_key`, of the standard parts. `standard_digests()` makes them anew for a new world version."""

_SINGLES = 64
"""So many scenes of a part are drawn one by one before all of it is: a short test need not wait for a whole part."""

_log = logging.getLogger(__name__)

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""A picture (H, W, 3) and its labels (H, W)."""


class ToyBox:
    """The embedded world behind the `Dataset` protocol.

    Args:
        sizes: scenes by part; other sizes than the standard ones are for tests and have another fingerprint.
    """

    def __init__(self, sizes: Mapping[str, int] = SIZES) -> None:
        self.name = "toybox"
        self.classes = CLASSES
        self._parts = {part: _Part(part, size) for part, size in sizes.items()}

    @property
    def parts(self) -> tuple[str, ...]:
        """Names of the parts."""
        return tuple(self._parts)

    def size(self, part: str) -> int:
        """How many scenes a part has. Raises KeyError for an unknown part."""
        return self._part(part).size

    def read(self, part: str, index: int) -> RawSample:
        """One scene; labels are uint8 indices into `classes`, every pixel has one. Raises IndexError out of range."""
        image, labels = self._part(part).pixels(index)
        return RawSample(image, labels, *self.address(part, index))

    def address(self, part: str, index: int) -> Address:
        """What a scene is called; nothing is drawn. Raises IndexError out of range."""
        self._part(part).check(index)
        return Address(f"{index:06d}", f"toybox://{part}/{index:06d}")

    def scene(self, part: str, index: int) -> Scene:
        """All that is known of one scene, depth and tags included; drawn anew at every call."""
        self._part(part).check(index)
        return scene(part, index)

    def caption(self, part: str, index: int) -> str:
        """One sentence that names every tag of a scene, always the same."""
        return caption_for(part, index, tags=self.scene(part, index).tags)

    def labels_in(self, part: str, index: int) -> frozenset[int]:
        """Which classes a scene shows. Raises like `read`."""
        return frozenset(np.unique(self._part(part).pixels(index)[1]).tolist())

    def fingerprint(self, *parts: str) -> str:
        """SHA-256 hex over class names and the digests of some parts, of all where none is named.

        Standard parts need not be drawn for it. Raises KeyError for an unknown part.
        """
        digests = {part: self._part(part).digest() for part in parts or self.parts}
        content = {"name": self.name, "classes": self.classes, "parts": digests}
        return hashlib.sha256(canonical_json(content).encode()).hexdigest()

    def _part(self, part: str) -> _Part:
        if part not in self._parts:
            raise KeyError(unknown_name("part", part, self._parts))
        return self._parts[part]


class _Part:
    """The scenes of one part: singly drawn at first, then all of them, from the cache where it has them."""

    def __init__(self, part: str, size: int) -> None:
        self.size = size
        self._name = part
        self._singles: dict[int, Pixels] = {}
        self._whole: Arrays | None = None
        self._is_looked_up = False

    def check(self, index: int) -> None:
        """Raise IndexError for a scene that is not in the part."""
        if not 0 <= index < self.size:
            raise IndexError(f"part {self._name!r} has scenes 0 to {self.size - 1}, asked for {index}")

    def pixels(self, index: int) -> Pixels:
        self.check(index)
        kept = self._kept()
        if kept is None and index not in self._singles and len(self._singles) < _SINGLES:
            view = scene(self._name, index)
            self._singles[index] = (view.image, view.labels)
        if kept is None and index in self._singles:
            return self._singles[index]
        whole = kept or self._draw()
        return whole["images"][index], whole["labels"][index]

    def digest(self) -> str:
        known = DIGESTS.get(part_key(self._name, self.size))
        return known or part_digest(self._kept() or self._draw())

    def _kept(self) -> Arrays | None:
        """The whole part, if it was drawn already, here or by an earlier process."""
        if not self._is_looked_up:
            self._is_looked_up = True
            found = load_arrays(part_key(self._name, self.size))
            self._whole = found if found is not None and _is_right(self._name, self.size, found) else None
        return self._whole

    def _draw(self) -> Arrays:
        key = part_key(self._name, self.size)
        _log.info("drawing %d scenes of toybox part %r once; they are kept for the next time", self.size, self._name)
        arrays = draw_part(self._name, self.size)
        if not _is_right(self._name, self.size, arrays):
            raise RuntimeError(
                f"the scenes of {key} drawn here are not the ones that the fingerprint stands for, so results would "
                "not compare; if the world was changed on purpose, raise WORLD_VERSION and renew DIGESTS"
            )
        keep_arrays(key, arrays)
        self._whole = arrays
        self._singles.clear()
        return arrays


def caption_for(part: str, index: int, *, tags: tuple[str, ...]) -> str:
    """The caption of a scene whose tags are known."""
    return caption(KeyedRandom("caption", WORLD_VERSION, part, index), tags)


def part_key(part: str, size: int) -> str:
    """The name under which a part is kept: everything that decides its content."""
    return f"toybox-v{WORLD_VERSION}-{part}-{size}"


def draw_part(part: str, size: int) -> Arrays:
    """The first `size` scenes: images (size, SIZE, SIZE, 3) and labels (size, SIZE, SIZE), uint8."""
    views = [scene(part, index) for index in range(size)]
    return {
        "images": np.stack([view.image for view in views]),
        "labels": np.stack([view.labels for view in views]),
    }


def part_digest(arrays: Arrays) -> str:
    """SHA-256 hex over all pictures, then all labels."""
    content = hashlib.sha256()
    for key in ("images", "labels"):
        content.update(np.ascontiguousarray(arrays[key]).data)
    return content.hexdigest()


def standard_digests() -> dict[str, str]:
    """What `DIGESTS` must be for this world version; draws all standard parts (half a minute)."""
    return {part_key(part, size): part_digest(draw_part(part, size)) for part, size in SIZES.items()}


def _is_right(part: str, size: int, arrays: Arrays) -> bool:
    """Whether arrays are this part: by digest where it is known, by shape and type where it is not."""
    images, labels = arrays.get("images"), arrays.get("labels")
    if images is None or labels is None or images.dtype != np.uint8 or labels.dtype != np.uint8:
        return False
    if images.shape[:1] != (size,) or images.shape != (*labels.shape, 3):
        return False
    known = DIGESTS.get(part_key(part, size))
    return known is None or part_digest(arrays) == known
