"""Training-time changes to a picture and its labels, each a small frozen value.

Every part draws from its own generator, addressed by (seed, purpose, iteration, slot, name of the part): removing one
part changes nothing about what the others draw, and no draw depends on workers or on what came before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.data.samplers import Key
from benchmark.seeding import torch_generator
from benchmark.types import IGNORE

Pair = tuple[Tensor, Tensor]
"""A picture (3, H, W) float in 0-255 and its labels (H, W) long."""

Part = Callable[[Tensor, Tensor, torch.Generator], Pair]

CLIP_MEAN_RGB = (122.77, 116.75, 104.09)
"""CLIP's mean pixel (0.48145466, 0.4578275, 0.40821073) in 0-255: after normalisation, padding is near zero."""


def _integer(low: int, high: int, generator: torch.Generator) -> int:
    """One integer in [low, high)."""
    return int(torch.randint(low, high, (), generator=generator))


@dataclass(frozen=True)
class RandomFlip:
    """Mirror left and right in one case of two."""

    def __call__(self, image: Tensor, labels: Tensor, generator: torch.Generator) -> Pair:
        """(3, H, W) and (H, W) to the same shapes."""
        if _integer(0, 2, generator) == 0:
            return image, labels
        return image.flip(-1), labels.flip(-1)


@dataclass(frozen=True)
class RandomCrop:
    """Cut a square at a random place; what reaches over the right or lower edge is mean colour, labelled IGNORE.

    Attributes:
        side: of the square, in pixels.
    """

    side: int

    def __call__(self, image: Tensor, labels: Tensor, generator: torch.Generator) -> Pair:
        """(3, H, W) and (H, W) to (3, side, side) and (side, side)."""
        image, labels = _padded(image, labels, self.side)
        height, width = labels.shape
        top = _integer(0, height - self.side + 1, generator)
        left = _integer(0, width - self.side + 1, generator)
        rows, columns = slice(top, top + self.side), slice(left, left + self.side)
        return image[:, rows, columns], labels[rows, columns]


@dataclass(frozen=True)
class RandomTone:
    """Change contrast around mid-grey, then brightness, both a little; labels stay.

    Attributes:
        contrast: largest relative change.
        brightness: largest change, in levels.
    """

    contrast: float = 0.15
    brightness: float = 20.0

    def __call__(self, image: Tensor, labels: Tensor, generator: torch.Generator) -> Pair:
        """(3, H, W) and (H, W) to the same shapes; levels stay in 0-255."""
        gain, shift = (2 * torch.rand(2, generator=generator) - 1).tolist()
        changed = (image - 128) * (1 + self.contrast * gain) + (128 + self.brightness * shift)
        return changed.clamp(0, 255), labels


def _padded(image: Tensor, labels: Tensor, side: int) -> Pair:
    """At least `side` high and wide, grown at the right and the lower edge."""
    height, width = labels.shape
    grow = (0, max(0, side - width), 0, max(0, side - height))
    if not any(grow):
        return image, labels
    mean = image.new_tensor(CLIP_MEAN_RGB)[:, None, None]
    return F.pad(image - mean, grow) + mean, F.pad(labels, grow, value=IGNORE)


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

    def __call__(self, image: Tensor, labels: Tensor, key: Key) -> Pair:
        """A changed picture (3, h, w) and its labels (h, w), both contiguous."""
        for part in self.parts:
            name = type(part).__name__
            generator = torch_generator(self.seed, self.purpose, key.iteration, key.slot, name)
            image, labels = part(image, labels, generator)
        return image.contiguous(), labels.contiguous()


def training_parts(crop: int) -> tuple[Part, ...]:
    """Crop (unless `crop` is 0), flip and tone."""
    return (*cropping_parts(crop), RandomFlip(), RandomTone())


def cropping_parts(crop: int) -> tuple[Part, ...]:
    """Crop alone; nothing where `crop` is 0."""
    return (RandomCrop(crop),) if crop else ()
