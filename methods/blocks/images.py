"""From samples to tensors and back: padding, pixel statistics, and score maps at the size that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from benchmark.core.lazy_scores import CoarsePrediction
from benchmark.core.types import Batch, Prediction, ignore_label

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """RGB 0-255 to zero mean and unit variance under fixed pixel statistics (of RGB 0-1)."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1) * 255, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) to the same."""
        return (images - self.mean) / self.std


def stack_images(batch: Batch, *, stride: int) -> Tensor:
    """Images side by side, padded at the right and the bottom with the CLIP mean colour.

    Args:
        stride: height and width become multiples of it.

    Returns:
        (B, 3, H, W) RGB 0-255, H and W the largest of the batch, rounded up.
    """
    height = max(sample["image"].shape[1] for sample in batch)
    width = max(sample["image"].shape[2] for sample in batch)
    height, width = -(-height // stride) * stride, -(-width // stride) * stride
    fill = torch.tensor(CLIP_MEAN, device=batch[0]["image"].device).view(3, 1, 1) * 255
    canvas = fill.repeat(len(batch), 1, height, width)
    for image, sample in zip(canvas, batch, strict=True):
        image[:, : sample["image"].shape[1], : sample["image"].shape[2]] = sample["image"]
    return canvas


def stack_labels(batch: Batch, *, size: Sequence[int], classes: int) -> Tensor:
    """Label maps side by side, padded with the label to ignore.

    Args:
        size: height and width of the result.
        classes: how many are being trained; it decides which label is ignored.

    Returns:
        (B, height, width) long.

    Raises:
        ValueError: a sample has no labels.
    """
    canvas = batch[0]["image"].new_full((len(batch), *size), ignore_label(classes), dtype=torch.long)
    for labels, sample in zip(canvas, batch, strict=True):
        if "sem_seg" not in sample:
            raise ValueError(f"sample {sample['image_id']!r} has no sem_seg: training needs labels")
        given = sample["sem_seg"]
        labels[: given.shape[0], : given.shape[1]] = given
    return canvas


def to_predictions(scores: Tensor, batch: Batch, *, padded: tuple[int, int]) -> list[Prediction]:
    """Score maps at the sizes that the samples ask for, made when they are read.

    Args:
        scores: (B, K, h, w) over the padded images.
        padded: height and width of the padded images.
    """
    answers = [
        CoarsePrediction(
            coarse=one,
            padded=tuple(padded),
            inside=tuple(sample["image"].shape[1:]),
            size=(sample["height"], sample["width"]),
        )
        for one, sample in zip(scores.float().split(1), batch, strict=True)
    ]
    return cast(list[Prediction], answers)
