"""Probabilities of class masks, computed at the resolution of the image when they are read."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch.nn.functional as F
from torch import Tensor

from benchmark.core.lazy_scores import LazyPrediction, resize_to_output
from benchmark.core.types import Batch, Prediction
from methods.blocks.images import stack_images


class ClassMaskPrediction(LazyPrediction):
    """Sigmoids of the logits of a padded image, which are resized before the sigmoid.

    Keys:
        low_res: (1, K, h, w) logits over the padded image.
        padded_size: Height and width of the padded image.
        image_size: Height and width of the image in its upper left corner.
        output_size: Height and width of the prediction.
    """

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (K, height, width) of "sem_seg"."""
        height, width = self["output_size"]
        return self["low_res"].shape[1], height, width

    def compute_scores(self, classes: slice) -> Tensor:
        """Resize logits to the padded image, take sigmoids, remove the padding, and resize to the prediction's size.

        Args:
            classes: Slice of k classes.

        Returns:
            (k, height, width) probabilities.
        """
        chunk, (height, width) = self["low_res"][:, classes].contiguous(), self["image_size"]
        padded = F.interpolate(chunk, size=self["padded_size"], mode="bilinear", align_corners=False)
        image = padded.sigmoid()[:, :, :height, :width].contiguous()
        return resize_to_output(image, self["output_size"])[0]


def predict_class_masks(compute_logits: Callable[[Tensor], Tensor], batch: Batch, *, stride: int) -> list[Prediction]:
    """Predict the images of a batch one at a time, so that no prediction depends on the other images.

    Args:
        compute_logits: Function from an image (1, 3, H, W), RGB in 0-255, to logits (1, K, h, w).
        batch: B samples.
        stride: Divisor of the height and width of the images that the function receives.

    Returns:
        B predictions, probabilities of every class by itself.
    """
    predictions = [_predict(compute_logits, [sample], stride=stride) for sample in batch]
    return cast(list[Prediction], predictions)


def _predict(compute_logits: Callable[[Tensor], Tensor], batch: Batch, *, stride: int) -> ClassMaskPrediction:
    """Predict a batch of one image."""
    (sample,), images = batch, stack_images(batch, stride=stride)
    return ClassMaskPrediction(
        low_res=compute_logits(images).float(),
        padded_size=tuple(images.shape[2:]),
        image_size=tuple(sample["image"].shape[1:]),
        output_size=(sample["height"], sample["width"]),
    )
