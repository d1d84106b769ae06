"""Detectron2's own `DatasetMapper` with the transforms of a protocol, whose measured time ours is compared with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from detectron2.data import DatasetMapper
from detectron2.data import transforms as T
from PIL import Image
from torch import Tensor

from benchmark.core.protocol import TrainTransform
from benchmark.core.seeding import torch_generator
from benchmark.data.resize import draw_size
from benchmark.profiling.opencv_pipeline import AugmentPair

PADDING, IGNORE = 128, 255


class _ProtocolResize(T.Augmentation):  # type: ignore[misc]
    """Resizing to sizes that a protocol draws; Detectron2's own augmentations have other distributions."""

    def __init__(self, rules: TrainTransform) -> None:
        super().__init__()
        self._rules = rules

    def get_transform(self, image: np.ndarray) -> T.Transform:
        """Return a resizing."""
        old = image.shape[:2]
        new = draw_size(old, self._rules.resize, torch_generator(int(np.random.randint(2**31))))
        return T.ResizeTransform(*old, *new, Image.Resampling.BILINEAR)


def make_mapper_pipeline(rules: TrainTransform) -> AugmentPair:
    """Return Detectron2's mapper for the geometry of a protocol.

    Colors are changed by its own augmentations: brightness, contrast and saturation, each in half of the cases, in
    place of the photometric distortion, and contrast and brightness in place of the tones.
    """
    mapper = DatasetMapper(is_train=True, augmentations=_list_augmentations(rules), image_format="RGB")

    def read(image_path: Path, mask_path: Path, number: int) -> tuple[Tensor, Tensor]:
        np.random.seed(number)
        sample = mapper({"file_name": str(image_path), "sem_seg_file_name": str(mask_path)})
        return sample["image"], sample["sem_seg"]

    return read


def _list_augmentations(rules: TrainTransform) -> list[T.Augmentation]:
    crop: list[T.Augmentation] = []
    pad: list[T.Augmentation] = []
    if rules.crop:
        size = (rules.crop, rules.crop)
        crop.append(T.RandomCrop_CategoryAreaConstraint("absolute", size, rules.largest_share, IGNORE))
        pad.append(T.FixedSizeCrop(size, pad_value=PADDING, seg_pad_value=IGNORE))
    flip = [T.RandomFlip()] if rules.flip else []
    color: dict[str, list[T.Augmentation]] = {
        "none": [],
        "tone": [T.RandomContrast(0.85, 1.15), T.RandomBrightness(0.9, 1.1)],
        "photometric": [
            T.RandomApply(kind(0.5, 1.5)) for kind in (T.RandomBrightness, T.RandomContrast, T.RandomSaturation)
        ],
    }
    return [_ProtocolResize(rules), *crop, *flip, *color[rules.color], *pad]
