"""Stand-in for the training pipeline of mmsegmentation, whose measured time ours is compared with.

The steps are those of mmsegmentation 0.24 (mmseg/datasets/pipelines/transforms.py: Resize, RandomCrop, RandomFlip,
PhotoMetricDistortion, Pad): OpenCV decodes and resizes the whole image, Pillow decodes the mask, and the crop is cut
afterwards. Normalization is left out, because our methods do it themselves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from benchmark.core.protocol import TrainTransform
from benchmark.core.seeding import torch_generator
from benchmark.data.resize import draw_size

Pixels = NDArray[np.uint8]
AugmentPair = Callable[[Path, Path, int], tuple[Tensor, Tensor]]
"""A `ReadPair` that returns a training sample: an image (3, H, W) and its labels (H, W)."""

PADDING, IGNORE = 0, 255
CROP_ATTEMPTS = 10


def make_opencv_pipeline(rules: TrainTransform) -> AugmentPair:
    """Return the pipeline for the geometry and the colors of a protocol; tones, which mmsegmentation lacks, stay.

    Raises:
        ImportError: OpenCV is not installed.
    """
    cv2 = importlib.import_module("cv2")
    cv2.setNumThreads(1)

    def read(image_path: Path, mask_path: Path, number: int) -> tuple[Tensor, Tensor]:
        random = np.random.default_rng(number)
        image = cv2.imdecode(np.frombuffer(image_path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        with Image.open(mask_path) as mask:
            labels = np.array(mask)
        height, width = draw_size((labels.shape[0], labels.shape[1]), rules.resize, torch_generator(number))
        image = cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR)
        labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
        if rules.crop:
            image, labels = _crop(image, labels, rules=rules, random=random)
        if rules.flip and random.random() < 0.5:
            image, labels = cv2.flip(image, 1), cv2.flip(labels, 1)
        if rules.color == "photometric":
            image = _distort(image, cv2=cv2, random=random)
        bottom, right = (max(0, rules.crop - side) for side in labels.shape)
        image = cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(PADDING,) * 3)
        labels = cv2.copyMakeBorder(labels, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=IGNORE)
        channels = np.ascontiguousarray(image[:, :, ::-1].transpose(2, 0, 1))  # BGR (H, W, 3) to RGB (3, H, W)
        return torch.from_numpy(channels), torch.from_numpy(labels.astype(np.int64))

    return read


def _crop(
    image: Pixels, labels: Pixels, *, rules: TrainTransform, random: np.random.Generator
) -> tuple[Pixels, Pixels]:
    """Cut a crop in which no class has more than the largest share, if one of ten is such."""
    (height, width), side = labels.shape, rules.crop
    for _ in range(CROP_ATTEMPTS if rules.largest_share < 1 else 1):
        top, left = (int(random.integers(0, max(length - side, 0) + 1)) for length in (height, width))
        part = slice(top, top + side), slice(left, left + side)
        names, areas = np.unique(labels[part], return_counts=True)
        areas = areas[names != IGNORE]
        if rules.largest_share == 1 or (len(areas) > 1 and areas.max() / areas.sum() < rules.largest_share):
            break
    return image[part], labels[part]


def _distort(image: Pixels, *, cv2: Any, random: np.random.Generator) -> Pixels:
    """Change brightness, contrast, saturation and hue, each with probability 1/2."""
    is_contrast_first = random.integers(2) == 1
    if random.integers(2):
        image = _convert(image, shift=random.uniform(-32, 32))
    if is_contrast_first and random.integers(2):
        image = _convert(image, gain=random.uniform(0.5, 1.5))
    if random.integers(2):
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[:, :, 1] = _convert(hsv[:, :, 1], gain=random.uniform(0.5, 1.5))
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if random.integers(2):
        hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
        hsv[:, :, 0] = (hsv[:, :, 0].astype(int) + random.integers(-18, 18)) % 180
        image = cv2.cvtColor(hsv, cv2.COLOR_HSV2BGR)
    if not is_contrast_first and random.integers(2):
        image = _convert(image, gain=random.uniform(0.5, 1.5))
    return image


def _convert(pixels: Pixels, *, gain: float = 1.0, shift: float = 0.0) -> Pixels:
    changed: Pixels = np.clip(pixels.astype(np.float32) * gain + shift, 0, 255).astype(np.uint8)
    return changed
