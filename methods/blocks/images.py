"""Conversion between samples and tensors: padding, pixel normalization, and predictions of the requested size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from benchmark.core.lazy_scores import LowResPrediction, resize_without_padding
from benchmark.core.types import Batch, Prediction, Sample, get_ignore_label
from methods.blocks.padding import crop_to_image

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Normalize(nn.Module):
    """Normalization of RGB in 0-255 to zero mean and unit variance.

    Args:
        mean: Pixel means, RGB in 0-1.
        std: Pixel standard deviations, RGB in 0-1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, mean: tuple[float, float, float], std: tuple[float, float, float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1) * 255, persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Normalize images (B, 3, H, W), RGB in 0-255; the shape stays the same."""
        return (images - self.mean) / self.std


def stack_images(batch: Batch, *, stride: int) -> Tensor:
    """Stack images, padded at the right and the bottom with the CLIP mean color.

    Padding that a sample already has is replaced, so its content has no influence.

    Args:
        batch: B samples with images (3, h, w) of any size.
        stride: Divisor of the height and width of the result.

    Returns:
        (B, 3, H, W) RGB in 0-255; H and W are the maxima of the batch, rounded up to multiples of the stride.
    """
    height = max(sample["image"].shape[1] for sample in batch)
    width = max(sample["image"].shape[2] for sample in batch)
    height, width = -(-height // stride) * stride, -(-width // stride) * stride
    fill = torch.tensor(CLIP_MEAN, device=batch[0]["image"].device).view(3, 1, 1) * 255
    canvas = fill.repeat(len(batch), 1, height, width)
    for image, sample in zip(canvas, batch, strict=True):
        valid = crop_to_image(sample)
        image[:, : valid.shape[1], : valid.shape[2]] = valid
    return canvas


def stack_labels(batch: Batch, *, size: Sequence[int], num_classes: int) -> Tensor:
    """Stack label maps, padded at the right and the bottom with the label to ignore.

    Args:
        batch: B samples with labels (h, w) of at most the given size.
        size: Height H and width W of the result.
        num_classes: Number of training classes, which determines the label to ignore.

    Returns:
        (B, H, W) long.

    Raises:
        ValueError: A sample has no labels.
    """
    canvas = batch[0]["image"].new_full((len(batch), *size), get_ignore_label(num_classes), dtype=torch.long)
    for labels, sample in zip(canvas, batch, strict=True):
        if "sem_seg" not in sample:
            raise ValueError(f"sample {sample['image_id']!r} has no sem_seg: training needs labels")
        height, width = sample["sem_seg"].shape
        labels[:height, :width] = sample["sem_seg"]
    return canvas


def to_predictions(logits: Tensor, batch: Batch, *, padded: Sequence[int]) -> list[Prediction]:
    """Convert logits of padded images to predictions of the requested sizes, which are resized when they are read.

    Args:
        logits: (B, K, h, w), covering the padded images.
        batch: B samples.
        padded: Height and width of the padded images.

    Returns:
        B predictions.
    """
    height, width = padded
    predictions = [
        LowResPrediction(
            low_res=low_res,
            padded_size=(height, width),
            image_size=tuple(sample["image"].shape[1:]),
            output_size=(sample["height"], sample["width"]),
        )
        for low_res, sample in zip(logits.float().split(1), batch, strict=True)
    ]
    return cast(list[Prediction], predictions)


def resize_to_sample(maps: Tensor, sample: Sample, *, padded: Sequence[int]) -> Tensor:
    """Resize maps of one padded image at once to the size that its sample requests, as reading a prediction does.

    Args:
        maps: (1, C, h, w), covering the padded image.
        sample: Sample of the image.
        padded: Height and width of the padded image.

    Returns:
        (1, C, height, width) in float32.
    """
    size, requested = sample["image"].shape[1:], (sample["height"], sample["width"])
    resized = resize_without_padding(maps.float(), padded_size=padded, image_size=size, output_size=requested)
    return resized.contiguous()


def predict_each(compute_logits: Callable[[Tensor], Tensor], batch: Batch, *, stride: int) -> list[Prediction]:
    """Predict the images of a batch one at a time, so that no prediction depends on the other images.

    Args:
        compute_logits: Function from an image (1, 3, H, W), RGB in 0-255, to logits (1, K, h, w).
        batch: B samples.
        stride: Divisor of the height and width of the images that the function receives.

    Returns:
        B predictions.
    """
    predictions: list[Prediction] = []
    for sample in batch:
        images = stack_images([sample], stride=stride)
        predictions += to_predictions(compute_logits(images), [sample], padded=images.shape[2:])
    return predictions
