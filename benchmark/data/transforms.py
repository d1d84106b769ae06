"""Training transforms of an image and its labels, each a small frozen value.

Each transform draws from its own generator, keyed by (seed, purpose, iteration, slot, RNG key of the transform):
removing one transform does not change the draws of the others, and no draw depends on workers or on earlier samples.

Crops are resized last, and images stay bytes in the memory order of the decoder, so that flips and color changes cost
as much as the cropped region and not as much as its enlargement.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.protocol import Resize, TrainTransform
from benchmark.core.seeding import torch_generator
from benchmark.core.types import IGNORE
from benchmark.data.compiled_pixels import map_colors
from benchmark.data.pixel_frame import WHOLE_IMAGE, PixelFrame
from benchmark.data.resize import Size, draw_size, resize_image, resize_labels
from benchmark.data.samplers import SampleKey


@dataclass(frozen=True, eq=False)
class CropView:
    """A region of an image with its labels, and the size that it will have in the sample.

    Attributes:
        image: (3, H, W) RGB in 0-255, bytes or float, in any memory order.
        labels: (H, W) of any integer type.
        size: Height and width that `ResizeAndPad` resizes the region to; afterwards those of the image without padding.
        frame: Position of the region in the whole image.
    """

    image: Tensor
    labels: Tensor
    size: Size
    frame: PixelFrame = WHOLE_IMAGE


class Transform(Protocol):
    """A random change of a view.

    Attributes:
        rng_key: Part of the key of its draws. Results depend on it, so it stays when the class is renamed.
    """

    rng_key: ClassVar[str]

    def __call__(self, view: CropView, generator: torch.Generator) -> CropView:
        """Return the changed view."""


CLIP_MEAN_RGB = (122.77, 116.75, 104.09)
"""CLIP's mean pixel (0.48145466, 0.4578275, 0.40821073) in 0-255: after normalization, padding is near zero."""

CROP_ATTEMPTS = 10
LABEL_STRIDE = 8
"""Every eighth pixel of every eighth row decides whether a crop is mixed; counting all would dominate the cost."""

TO_YIQ = np.array([[0.299, 0.587, 0.114], [0.5959, -0.2746, -0.3213], [0.2115, -0.5227, 0.3112]])
FROM_YIQ = np.linalg.inv(TO_YIQ)


@dataclass(frozen=True)
class RandomFlip:
    """Horizontal flip with probability 1/2."""

    rng_key: ClassVar[str] = "RandomFlip"

    def __call__(self, view: CropView, generator: torch.Generator) -> CropView:
        """Return a view of the same size."""
        if _draw_integer(0, 2, generator) == 0:
            return view
        frame = view.frame.flip(view.labels.shape[1])
        return replace(view, image=view.image.flip(-1), labels=view.labels.flip(-1), frame=frame)


@dataclass(frozen=True)
class RandomCrop:
    """Random size of the image, and a random square crop at that size; the crop is resized later.

    The crop begins on a whole pixel of the source, so image and labels are cut at exactly the same place. If the
    resized image is smaller than the crop, all of the image is taken.

    Attributes:
        side: Side of the crop in pixels; 0 takes whole images.
        resize: Distribution of the size; None keeps the size.
        largest_share: Largest share of the labeled pixels for one class. Another crop is drawn, up to `CROP_ATTEMPTS`
            times in all, while one class has a larger share or is the only one. 1 accepts every crop.
        ignore: Label of unlabeled pixels.
    """

    rng_key: ClassVar[str] = "RandomCrop"

    side: int = 0
    resize: Resize | None = None
    largest_share: float = 1.0
    ignore: int = IGNORE

    def __call__(self, view: CropView, generator: torch.Generator) -> CropView:
        """Return a region of the view; with `side`, its final size is at most `side` in both directions."""
        # final size: that of the resized image, limited to the crop
        height, width = view.labels.shape
        tall, wide = draw_size((height, width), self.resize, generator)
        size = (min(tall, self.side), min(wide, self.side)) if self.side else (tall, wide)
        # size of the crop in pixels of the source
        source = (max(1, round(size[0] * height / tall)), max(1, round(size[1] * width / wide)))
        # draw positions until the crop shows several classes
        numbers = self._number(view.labels[::LABEL_STRIDE, ::LABEL_STRIDE].numpy())  # (ceil(H / 8), ceil(W / 8))
        can_be_mixed = self.largest_share < 1 and len(_measure_areas(numbers)) > 1
        for _ in range(CROP_ATTEMPTS if self.largest_share < 1 else 1):
            top = _draw_integer(0, height - source[0] + 1, generator)
            left = _draw_integer(0, width - source[1] + 1, generator)
            rows, columns = slice(top, top + source[0]), slice(left, left + source[1])
            if can_be_mixed and self._is_mixed(numbers[_coarsen(rows), _coarsen(columns)]):
                break
        frame = view.frame.crop(top=top, left=left)
        return CropView(view.image[:, rows, columns], view.labels[rows, columns], size, frame)

    def _number(self, labels: NDArray[np.integer]) -> NDArray[np.intp]:
        """Return the number of the class of each label, from 1; 0 without one."""
        return np.where((labels >= 0) & (labels != self.ignore), labels.astype(np.intp) + 1, 0)

    def _is_mixed(self, numbers: NDArray[np.intp]) -> bool:
        """Return whether numbers (h, w) are of several classes, none with more than the largest share."""
        areas = _measure_areas(numbers)
        return len(areas) > 1 and max(areas) < self.largest_share * sum(areas)


@dataclass(frozen=True)
class RandomTone:
    """Small random change of contrast (around mid-gray), then of brightness.

    Attributes:
        contrast: Largest relative change.
        brightness: Largest change, in levels.
    """

    rng_key: ClassVar[str] = "RandomTone"

    contrast: float = 0.15
    brightness: float = 20.0

    def __call__(self, view: CropView, generator: torch.Generator) -> CropView:
        """Return a view of the same size with a float image in 0-255."""
        gain, shift = (2 * torch.rand(2, generator=generator) - 1).tolist()
        image = (view.image.float() - 128) * (1 + self.contrast * gain) + (128 + self.brightness * shift)
        return replace(view, image=image.clamp(0, 255))


@dataclass(frozen=True)
class RandomColor:
    """Photometric distortion (SSD, arXiv 1512.02325): brightness, contrast, saturation, hue, each with probability 1/2.

    All four form one linear map of RGB, as saturation and hue are changed in YIQ: this takes a tenth of the time of a
    conversion to HSV. Ranges are those of mmsegmentation's `PhotoMetricDistortion`.

    Attributes:
        brightness: Largest change, in levels.
        contrast, saturation: Lowest and highest factor.
        hue: Largest rotation, in degrees.
    """

    rng_key: ClassVar[str] = "RandomColour"  # results depend on this spelling

    brightness: float = 32.0
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 36.0

    def __call__(self, view: CropView, generator: torch.Generator) -> CropView:
        """Return a view of the same size with a byte image, rounded and clipped to 0-255; the input must be bytes."""
        changed = map_colors(view.image.permute(1, 2, 0).numpy(), self.draw_matrix(generator))  # (H, W, 3)
        return replace(view, image=torch.from_numpy(changed).permute(2, 0, 1))

    def draw_matrix(self, generator: torch.Generator) -> NDArray[np.float64]:
        """Draw a color map.

        Returns:
            (3, 4): RGB to RGB, and a shift in levels in the last column.
        """
        # four draws decide which properties change, four by how much
        unit = torch.rand(8, generator=generator).tolist()
        is_changed, position = [number < 0.5 for number in unit[:4]], unit[4:]
        shift = self.brightness * (2 * position[0] - 1) if is_changed[0] else 0.0
        gain = _interpolate(self.contrast, position[1]) if is_changed[1] else 1.0
        saturation = _interpolate(self.saturation, position[2]) if is_changed[2] else 1.0
        hue = self.hue * (2 * position[3] - 1) if is_changed[3] else 0.0
        # one affine map: (3, 3) and (3,) to (3, 4)
        return gain * np.column_stack([make_chroma_map(saturation, hue_degrees=hue), np.full(3, shift)])


@dataclass(frozen=True)
class ResizeAndPad:
    """Resize a view to its final size, and pad it to a square at the right and bottom.

    Attributes:
        side: Side of the square in pixels; 0 pads nothing.
        antialias: See `benchmark.core.protocol.Protocol`.
        padding: Label of padded pixels.
    """

    rng_key: ClassVar[str] = "Finish"

    side: int
    antialias: bool
    padding: int

    def __call__(self, view: CropView, generator: torch.Generator) -> CropView:
        """Return a view whose image and labels have its size, and padding up to at least `side` in both directions."""
        # resize image and labels
        image = resize_image(view.image, view.size, antialias=self.antialias)
        labels = resize_labels(view.labels, view.size)
        frame = view.frame.resize((view.labels.shape[0], view.labels.shape[1]), view.size)
        (height, width), size = view.size, (max(view.size[0], self.side), max(view.size[1], self.side))
        if size == view.size:
            return CropView(image, labels, view.size, frame)
        # pad the image with CLIP's mean color: (3, height, width) to (3, *size)
        mean = torch.tensor(CLIP_MEAN_RGB)
        mean = mean if image.is_floating_point() else mean.round().to(image.dtype)
        canvas = image.new_empty(3, *size)  # not an expanded copy, whose memory order is another
        canvas[:, height:] = canvas[:, :height, width:] = mean[:, None, None]
        canvas[:, :height, :width] = image
        # pad the labels: (height, width) to size
        padded = F.pad(labels, (0, size[1] - width, 0, size[0] - height), value=self.padding)
        return CropView(canvas, padded, view.size, frame)


@dataclass(frozen=True)
class Augmentation:
    """Transforms applied in order, each with draws of its own.

    Attributes:
        seed: Seed of the run.
        purpose: Use of the samples; separates the draws of different uses.
        transforms: Transforms in order, at most one of each kind.
    """

    seed: int
    purpose: str
    transforms: tuple[Transform, ...]

    def __call__(self, image: Tensor, labels: Tensor, key: SampleKey) -> CropView:
        """Transform an image and its labels.

        Args:
            image: (3, H, W) RGB in 0-255, bytes.
            labels: (H, W) integers.
            key: Key of the sample.

        Returns:
            View with contiguous tensors: (3, h, w) image, bytes or float, and (h, w) labels.
        """
        view = CropView(image, labels, (labels.shape[0], labels.shape[1]))
        for transform in self.transforms:
            generator = torch_generator(self.seed, self.purpose, key.iteration, key.slot, transform.rng_key)
            view = transform(view, generator)
        return replace(view, image=view.image.contiguous(), labels=view.labels.contiguous())


def make_train_transforms(
    rules: TrainTransform, *, antialias: bool, ignore: int, padding: int
) -> tuple[Transform, ...]:
    """Return the transforms of training images, in order.

    Args:
        rules: Training transforms that the protocol asks for.
        antialias: Antialiasing of the protocol.
        ignore: Label of unlabeled pixels.
        padding: Label of padded pixels.
    """
    crop = RandomCrop(rules.crop, rules.resize, rules.largest_share, ignore)
    flip: tuple[Transform, ...] = (RandomFlip(),) if rules.flip else ()
    color: dict[str, tuple[Transform, ...]] = {"none": (), "tone": (RandomTone(),), "photometric": (RandomColor(),)}
    return (crop, *flip, *color[rules.color], ResizeAndPad(rules.crop, antialias, padding))


def make_chroma_map(saturation: float, *, hue_degrees: float) -> NDArray[np.float64]:
    """Return a change of saturation and hue as a linear map of RGB, which keeps gray.

    Args:
        saturation: Factor of the chroma in YIQ.
        hue_degrees: Rotation of the chroma in YIQ.

    Returns:
        (3, 3).
    """
    angle = np.deg2rad(hue_degrees)
    cos, sin = saturation * np.cos(angle), saturation * np.sin(angle)
    chroma = np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    color_map: NDArray[np.float64] = FROM_YIQ @ chroma @ TO_YIQ
    return color_map


def _measure_areas(numbers: NDArray[np.intp]) -> list[int]:
    """Return how often each number above 0 occurs, without those that do not."""
    return [area for area in np.bincount(numbers.ravel())[1:].tolist() if area]


def _coarsen(span: slice) -> slice:
    """Convert a span of pixels to a span of every eighth pixel."""
    return slice(-(-span.start // LABEL_STRIDE), -(-span.stop // LABEL_STRIDE))


def _draw_integer(low: int, high: int, generator: torch.Generator) -> int:
    """Draw one integer in [low, high)."""
    return int(torch.randint(low, high, (), generator=generator))


def _interpolate(ends: tuple[float, float], position: float) -> float:
    return ends[0] + (ends[1] - ends[0]) * position
