"""Training-time changes to a picture and its labels, each a small frozen value.

Every part draws from its own generator, addressed by (seed, purpose, iteration, slot, name of the part): removing one
part changes nothing about what the others draw, and no draw depends on workers or on what came before.

What is cut out is resized last, and pictures stay bytes in the order they were decoded in: flips and colours then cost
as much as the part of the picture that is kept, and not as much as what it is blown up to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmark.core.protocol import Resize, TrainGeometry
from benchmark.core.seeding import torch_generator
from benchmark.core.types import IGNORE
from benchmark.data.resize import Size, resized, resized_labels, target_size
from benchmark.data.samplers import Key


@dataclass(frozen=True, eq=False)
class View:
    """A picture on its way into training.

    Attributes:
        image: (3, H, W) RGB in 0-255, bytes or float, in any memory order.
        labels: (H, W) of any integer type.
        size: height and width that `Finish` gives it.
    """

    image: Tensor
    labels: Tensor
    size: Size


Part = Callable[[View, torch.Generator], View]

CLIP_MEAN_RGB = (122.77, 116.75, 104.09)
"""CLIP's mean pixel (0.48145466, 0.4578275, 0.40821073) in 0-255: after normalisation, padding is near zero."""

CROP_TRIES = 10
COUNT_EVERY = 8
"""Every eighth pixel of every eighth row decides whether a crop is mixed: all of them would take most of the time."""

TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
FROM_YIQ = np.linalg.inv(TO_YIQ)


def _every(span: slice) -> slice:
    """Which of every eighth rows or columns lie within a span."""
    return slice(-(-span.start // COUNT_EVERY), -(-span.stop // COUNT_EVERY))


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    """One integer in [low, high)."""
    return int(torch.randint(low, high, (), generator=generator))


@dataclass(frozen=True)
class RandomFlip:
    """Mirror left and right in one case of two."""

    def __call__(self, view: View, generator: torch.Generator) -> View:
        """Same size."""
        if _integer(0, 2, generator) == 0:
            return view
        return replace(view, image=view.image.flip(-1), labels=view.labels.flip(-1))


@dataclass(frozen=True)
class RandomCrop:
    """Draw a size and a square of the picture at that size; what is cut out will fill it when it is resized.

    The square begins on a whole pixel of the source, so picture and labels are cut from exactly the same place. Where
    the resized picture is smaller than the square, all of it is taken.

    Attributes:
        side: of the square in pixels; 0 takes whole pictures.
        resize: None leaves the size as it is.
        largest_share: another place is drawn, up to `CROP_TRIES` times, while one class has more than this share of
            the labelled pixels or is alone.
        ignore: the label of pixels without one.
    """

    side: int = 0
    resize: Resize | None = None
    largest_share: float = 1.0
    ignore: int = IGNORE

    def __call__(self, view: View, generator: torch.Generator) -> View:
        """A part of the view, and a size of at most `side` in both directions where there is one."""
        height, width = view.labels.shape
        tall, wide = target_size((height, width), self.resize, generator)
        size = (min(tall, self.side), min(wide, self.side)) if self.side else (tall, wide)
        source = (max(1, round(size[0] * height / tall)), max(1, round(size[1] * width / wide)))
        some = view.labels[::COUNT_EVERY, ::COUNT_EVERY].numpy()
        for _ in range(CROP_TRIES if self.largest_share < 1 else 1):
            top = _integer(0, height - source[0] + 1, generator)
            left = _integer(0, width - source[1] + 1, generator)
            rows, columns = slice(top, top + source[0]), slice(left, left + source[1])
            if self.largest_share == 1 or self._is_mixed(some[_every(rows), _every(columns)]):
                break
        return View(view.image[:, rows, columns], view.labels[rows, columns], size)

    def _is_mixed(self, labels: NDArray[np.integer]) -> bool:
        """Whether there are several classes and none has more than its share. labels: of some pixels."""
        areas = np.bincount(labels[(labels >= 0) & (labels != self.ignore)])
        return bool(np.count_nonzero(areas) > 1 and areas.max() < self.largest_share * areas.sum())


@dataclass(frozen=True)
class RandomTone:
    """Change contrast around mid-grey, then brightness, both a little; labels stay.

    Attributes:
        contrast: largest relative change.
        brightness: largest change, in levels.
    """

    contrast: float = 0.15
    brightness: float = 20.0

    def __call__(self, view: View, generator: torch.Generator) -> View:
        """Same size, float; levels stay in 0-255."""
        gain, shift = (2 * torch.rand(2, generator=generator) - 1).tolist()
        changed = (view.image.float() - 128) * (1 + self.contrast * gain) + (128 + self.brightness * shift)
        return replace(view, image=changed.clamp(0, 255))


@dataclass(frozen=True)
class RandomColour:
    """Photometric distortion (SSD, arXiv 1512.02325): brightness, contrast, saturation and hue, one case of two each.

    All four are one linear map of RGB here, as saturation and hue are taken in YIQ: a tenth of the time that a way
    through HSV takes. Ranges are those of mmsegmentation's `PhotoMetricDistortion`.

    Attributes:
        brightness: largest change, in levels.
        contrast, saturation: lowest and highest factor.
        hue: largest turn, in degrees.
    """

    brightness: float = 32.0
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 36.0

    def __call__(self, view: View, generator: torch.Generator) -> View:
        """Same size, bytes; rounded, and cut off at 0 and 255. The picture must be bytes."""
        matrix = tuple(self.drawn(generator).ravel().tolist())
        pixels = np.ascontiguousarray(view.image.permute(1, 2, 0).numpy())
        picture = Image.frombuffer("RGB", (pixels.shape[1], pixels.shape[0]), pixels, "raw", "RGB", 0, 1)
        changed = np.array(picture.convert("RGB", matrix))  # Pillow's own loop: no floats of the picture are ever made
        return replace(view, image=torch.from_numpy(changed).permute(2, 0, 1))

    def drawn(self, generator: torch.Generator) -> NDArray[np.float64]:
        """The map of one draw, (3, 4): RGB to RGB, and a shift in levels in the last column."""
        unit = torch.rand(8, generator=generator).tolist()
        is_changed, at = [number < 0.5 for number in unit[:4]], unit[4:]
        shift = self.brightness * (2 * at[0] - 1) if is_changed[0] else 0.0
        gain = _between(self.contrast, at[1]) if is_changed[1] else 1.0
        colour = _between(self.saturation, at[2]) if is_changed[2] else 1.0
        turn = self.hue * (2 * at[3] - 1) if is_changed[3] else 0.0
        return gain * np.column_stack([chroma_map(colour, turn_degrees=turn), np.full(3, shift)])


@dataclass(frozen=True)
class Finish:
    """Bring a view to its size, and fill it up to a square at the right and the lower edge.

    Attributes:
        side: of the square in pixels; 0 fills nothing up.
        antialias: see `benchmark.core.protocol.Protocol`.
        padding: the label of what is filled in.
    """

    side: int
    antialias: bool
    padding: int

    def __call__(self, view: View, generator: torch.Generator) -> View:
        """A view whose image and labels have its size, at least `side` in both directions."""
        image = resized(view.image, view.size, antialias=self.antialias)
        labels = resized_labels(view.labels, view.size)
        (height, width), size = view.size, (max(view.size[0], self.side), max(view.size[1], self.side))
        if size == view.size:
            return View(image, labels, size)
        mean = torch.tensor(CLIP_MEAN_RGB)
        mean = mean if image.is_floating_point() else mean.round().to(image.dtype)
        canvas = mean[:, None, None].expand(3, *size).clone()
        canvas[:, :height, :width] = image
        return View(canvas, F.pad(labels, (0, size[1] - width, 0, size[0] - height), value=self.padding), size)


@dataclass(frozen=True)
class Augment:
    """Parts applied in order, each with draws of its own.

    Attributes:
        seed: of the run.
        purpose: keeps apart the draws of different uses.
        parts: what is done, in order; each kind at most once.
    """

    seed: int
    purpose: str
    parts: tuple[Part, ...]

    def __call__(self, image: Tensor, labels: Tensor, key: Key) -> tuple[Tensor, Tensor]:
        """A picture (3, H, W) and labels (H, W) to a changed picture (3, h, w), bytes or float, and labels (h, w)."""
        view = View(image, labels, (labels.shape[0], labels.shape[1]))
        for part in self.parts:
            name = type(part).__name__
            view = part(view, torch_generator(self.seed, self.purpose, key.iteration, key.slot, name))
        return view.image.contiguous(), view.labels.contiguous()


def training_parts(geometry: TrainGeometry, *, antialias: bool, ignore: int, padding: int) -> tuple[Part, ...]:
    """What a protocol does to training images, in order.

    Args:
        geometry: of the protocol.
        antialias: of the protocol.
        ignore: the label of pixels without one.
        padding: the label of what lies outside the picture.
    """
    colours: dict[str, tuple[Part, ...]] = {"none": (), "tone": (RandomTone(),), "photometric": (RandomColour(),)}
    flip: tuple[Part, ...] = (RandomFlip(),) if geometry.flip else ()
    crop, *finish = plain_parts(geometry, antialias=antialias, ignore=ignore, padding=padding)
    return (crop, *flip, *colours[geometry.colour], *finish)


def plain_parts(geometry: TrainGeometry, *, antialias: bool, ignore: int, padding: int) -> tuple[Part, ...]:
    """Size and crop alone; see `training_parts`."""
    crop = RandomCrop(geometry.crop, geometry.resize, geometry.largest_share, ignore)
    return crop, Finish(geometry.crop, antialias, padding)


def chroma_map(factor: float, *, turn_degrees: float) -> NDArray[np.float64]:
    """Saturation and hue as a linear map of RGB, (3, 3): chroma in YIQ times `factor`, turned; grey stays."""
    angle = np.deg2rad(turn_degrees)
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    turned = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    mixed: NDArray[np.float64] = FROM_YIQ @ turned @ TO_YIQ
    return mixed


def _between(ends: tuple[float, float], at: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * at
