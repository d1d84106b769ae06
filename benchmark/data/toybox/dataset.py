"""The toybox as a dataset: three subsets of a fixed number of scenes, drawn once and cached.

The digests of the standard subsets are constants in this module instead of computed values, because the id of a run
must be known within milliseconds and be the same on a machine that has drawn nothing yet. They are verified three
times: whenever a whole subset is drawn, on a sample of scenes in the fast tests, and on all scenes in the slow tests.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from benchmark.core.seeding import KeyedRandom
from benchmark.data.base import ImageRef, RawPoints, RawSample
from benchmark.data.toybox.captions import draw_caption
from benchmark.data.toybox.depth import DepthMaps
from benchmark.data.toybox.points import scan_scene
from benchmark.data.toybox.scene import CLASSES, TOYBOX_VERSION, ToyScene, draw_scene, list_tags
from benchmark.utils.array_cache import Arrays, load_arrays, save_arrays
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import format_canonical_json

SIZES: Mapping[str, int] = {"train": 1600, "val": 300, "test": 400}
"""Number of scenes by subset. The subsets share no scene, because the subset is part of the RNG key."""

DIGESTS: Mapping[str, str] = {
    "toybox-v3-train-1600": "23b1ba83fb82f95c0b4b360c8a5e6a2cb45e8a7259ead1f865f0e056daad2e2b",
    "toybox-v3-val-300": "4b2377451c927f37e32f9da8daa91f3c8cd772c8629e925a9af8809fdb1530a6",
    "toybox-v3-test-400": "a99dac7165165966a930e6237f512e4423d241b03945ea69f73ca31ceab20388",
}
"""`digest_scenes` of the standard subsets by `make_subset_key`. `compute_digests()` returns those of a new version."""

_MAX_SINGLE_SCENES = 64
"""Number of scenes drawn one by one before a whole subset is drawn, so that a short test need not wait for all."""

_log = logging.getLogger(__name__)

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""An image (H, W, 3) and its labels (H, W)."""


class ToyBox:
    """The built-in synthetic dataset behind the `Dataset` protocol.

    Args:
        sizes: Number of scenes by subset. Other sizes than the standard ones are for tests; they have another
            fingerprint.
    """

    def __init__(self, sizes: Mapping[str, int] = SIZES) -> None:
        self.name = "toybox"
        self.classes = CLASSES
        self._subsets = {subset: _Subset(subset, size) for subset, size in sizes.items()}

    @property
    def subsets(self) -> tuple[str, ...]:
        """Names of the subsets."""
        return tuple(self._subsets)

    def size(self, subset: str) -> int:
        """Return the number of scenes in a subset.

        Raises:
            KeyError: The subset is unknown.
        """
        return self._get(subset).size

    def read(self, subset: str, index: int) -> RawSample:
        """Return one scene; every pixel has a label, a uint8 index into `classes`.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        image, labels = self._get(subset).pixels(index)
        return RawSample(image, labels, *self.get_image_ref(subset, index))

    def get_image_ref(self, subset: str, index: int) -> ImageRef:
        """Return the identity of a scene without drawing it.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        self._get(subset).check_index(index)
        return ImageRef(f"{index:06d}", f"toybox://{subset}/{index:06d}")

    def scene(self, subset: str, index: int) -> ToyScene:
        """Return a scene with depth and tags; drawn at each call.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        self._get(subset).check_index(index)
        return draw_scene(subset, index)

    def caption(self, subset: str, index: int) -> str:
        """Return the caption of a scene: a sentence that names every tag, the same at each call."""
        return caption_scene(subset, index, tags=list_tags(self._get(subset).pixels(index)[1]))

    def read_captions(self, subset: str, index: int) -> tuple[str, ...]:
        """Return the one caption of a scene.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        return (self.caption(subset, index),)

    def read_points(self, subset: str, index: int) -> RawPoints:
        """Return the points of a scene, all of them visible.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        scenes = self._get(subset)
        return scan_scene(*scenes.pixels(index), scenes.depth.read(index))

    def read_classes(self, subset: str, index: int) -> frozenset[int]:
        """Return the indices of the classes that a scene shows.

        Raises:
            KeyError: The subset is unknown.
            IndexError: The index is out of range.
        """
        return frozenset(np.unique(self._get(subset).pixels(index)[1]).tolist())

    def fingerprint(self, *subsets: str) -> str:
        """Return the SHA-256 (hex) of class names and scenes; standard subsets need not be drawn for it.

        Args:
            *subsets: Names of the subsets; all if none is given.

        Raises:
            KeyError: A subset is unknown.
        """
        digests = {subset: self._get(subset).digest() for subset in subsets or self.subsets}
        # the key "parts" is part of the fingerprint
        content = {"name": self.name, "classes": self.classes, "parts": digests}
        return hashlib.sha256(format_canonical_json(content).encode()).hexdigest()

    def _get(self, subset: str) -> _Subset:
        if subset not in self._subsets:
            raise KeyError(explain_unknown_name("subset", subset, self._subsets))
        return self._subsets[subset]


class _Subset:
    """The scenes of a subset: single scenes at first, then all of them, from the cache if possible."""

    def __init__(self, name: str, size: int) -> None:
        self.size = size
        self.depth = DepthMaps(name, size, key=make_subset_key(name, size))
        self._name = name
        self._singles: dict[int, Pixels] = {}
        self._whole: Arrays | None = None
        self._is_looked_up = False

    def check_index(self, index: int) -> None:
        """Raise IndexError if the subset has no scene of this index."""
        if not 0 <= index < self.size:
            raise IndexError(f"subset {self._name!r} has scenes 0 to {self.size - 1}, got index {index}")

    def pixels(self, index: int) -> Pixels:
        self.check_index(index)
        cached = self._load()
        if cached is None and index not in self._singles and len(self._singles) < _MAX_SINGLE_SCENES:
            scene = draw_scene(self._name, index)
            self._singles[index] = (scene.image, scene.labels)
        if cached is None and index in self._singles:
            return self._singles[index]
        whole = cached or self._draw()
        return whole["images"][index], whole["labels"][index]

    def digest(self) -> str:
        known = DIGESTS.get(make_subset_key(self._name, self.size))
        return known or digest_scenes(self._load() or self._draw())

    def _load(self) -> Arrays | None:
        """Return the whole subset if it was drawn before, by this process or an earlier one; None otherwise."""
        if not self._is_looked_up:
            self._is_looked_up = True
            arrays = load_arrays(make_subset_key(self._name, self.size))
            self._whole = arrays if arrays is not None and _is_valid(self._name, self.size, arrays) else None
        return self._whole

    def _draw(self) -> Arrays:
        key = make_subset_key(self._name, self.size)
        _log.info("drawing %d scenes of toybox subset %r; they are cached for later runs", self.size, self._name)
        arrays = draw_subset(self._name, self.size)
        if not _is_valid(self._name, self.size, arrays):
            raise RuntimeError(
                f"the scenes of {key} drawn on this machine do not match their digest, so results would not be "
                "comparable; if the scenes were changed on purpose, raise TOYBOX_VERSION and update DIGESTS"
            )
        save_arrays(key, arrays)
        self._whole = arrays
        self._singles.clear()
        return arrays


def caption_scene(subset: str, index: int, *, tags: tuple[str, ...]) -> str:
    """Return the caption of a scene, given its tags."""
    return draw_caption(KeyedRandom("caption", TOYBOX_VERSION, subset, index), tags)


def make_subset_key(subset: str, size: int) -> str:
    """Return the cache key of a subset, which contains everything that determines its scenes."""
    return f"toybox-v{TOYBOX_VERSION}-{subset}-{size}"


def draw_subset(subset: str, size: int) -> Arrays:
    """Draw the first `size` scenes of a subset.

    Returns:
        "images": (size, SIZE, SIZE, 3) uint8, and "labels": (size, SIZE, SIZE) uint8.
    """
    scenes = [draw_scene(subset, index) for index in range(size)]
    return {
        "images": np.stack([scene.image for scene in scenes]),
        "labels": np.stack([scene.labels for scene in scenes]),
    }


def digest_scenes(arrays: Arrays) -> str:
    """Return the SHA-256 (hex) of all images, then all labels, of `draw_subset`."""
    content = hashlib.sha256()
    for key in ("images", "labels"):
        content.update(np.ascontiguousarray(arrays[key]).data)
    return content.hexdigest()


def compute_digests() -> dict[str, str]:
    """Return the value of `DIGESTS` for the current version; draws all standard subsets (half a minute)."""
    return {make_subset_key(subset, size): digest_scenes(draw_subset(subset, size)) for subset, size in SIZES.items()}


def _is_valid(subset: str, size: int, arrays: Arrays) -> bool:
    """Return whether arrays hold a subset: by digest if it is known, otherwise by shape and type."""
    images, labels = arrays.get("images"), arrays.get("labels")
    if images is None or labels is None or images.dtype != np.uint8 or labels.dtype != np.uint8:
        return False
    if images.shape[:1] != (size,) or images.shape != (*labels.shape, 3):
        return False
    known = DIGESTS.get(make_subset_key(subset, size))
    return known is None or digest_scenes(arrays) == known
