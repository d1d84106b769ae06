"""Class maps of mask proposals, and their loss without matching (DeOP).

Unlike ZegCLIP's loss of one mask per class (`methods.blocks.class_masks`), dice compares all maps of an image at once,
the focal loss is an average over all maps, and no object has a map of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from benchmark.core.types import Losses, get_ignore_label
from methods.blocks.binary_focal import BinaryFocal, compute_sigmoid_slope
from methods.blocks.deop.config import ClassMapConfig
from methods.blocks.resizing import resize_maps

FOCAL = BinaryFocal(bounds=(-log(1 - 1e-4), -log(1e-4)))
"""Focal loss with probabilities from 1e-4 to 1 - 1e-4 in its logarithm."""


def compute_class_maps(masks: Tensor, probabilities: Tensor, *, size: Sequence[int]) -> Tensor:
    """Sum the masks of all proposals, each by the probability of a class: x_c(p) = Σ_n sigmoid(m_n(p)) · P_n(c).

    Args:
        masks: Logits of the masks (B, N, h, w), which are resized before the sigmoid.
        probabilities: P, (B, N, K).
        size: Height H and width W of the maps.

    Returns:
        (B, K, H, W) in float32, from 0 to N.
    """
    with torch.autocast(masks.device.type, enabled=False):
        shares = resize_maps(masks.float(), size).sigmoid()
        return torch.einsum("bnhw,bnk->bkhw", shares, probabilities.float())


class ClassMapLoss(nn.Module):
    """Binary focal loss and dice loss of y = sigmoid(s·x - s) for class maps x, reported term by term.

    The last map is that of no object. The focal loss counts every pixel of each map alike; dice compares all maps of an
    image but the last with their labels at once: 1 - (2·Σyt + 1) / (Σy + Σt + 1).
    """

    def __init__(self, config: ClassMapConfig) -> None:
        super().__init__()
        self._config = config

    def forward(
        self, masks: Tensor, probabilities: Tensor, labels: Tensor, *, is_image: Tensor | None = None
    ) -> Losses:
        """Compute the weighted terms.

        Args:
            masks: Logits of the masks of N proposals, (B, N, h, w).
            probabilities: Of K classes and of no object, (B, N, K + 1).
            labels: (B, H, W) long, `benchmark.core.types.get_ignore_label(K)` at unlabeled pixels.
            is_image: (B, H, W) bool, pixels that are no padding; None if no pixel is.

        Returns:
            Losses () by name.
        """
        num_classes = probabilities.shape[2] - 1
        is_labeled = labels != get_ignore_label(num_classes)
        counted = torch.ones_like(is_labeled) if is_image is None else is_image
        counted = counted & is_labeled if self._config.unlabeled == "ignored" else counted
        maps = compute_class_maps(masks, probabilities, size=labels.shape[1:])
        with torch.autocast(maps.device.type, enabled=False):
            logits = self._config.scale * (maps - 1)
            classes = labels.masked_fill(~is_labeled, num_classes).masked_fill(~counted, -1)
            focal, dice = _ClassMapFunction.apply(logits, classes)
        return {"loss_class_focal": self._config.focal * focal, "loss_class_dice": self._config.dice * dice}


class _ClassMapFunction(torch.autograd.Function):
    """Focal and dice loss (2,) of logits (B, K + 1, H, W), with a gradient in closed form.

    The maps are the largest tensor of a batch: 157 of them for 16 crops of 512 x 512 are 2.6 GB. Automatic
    differentiation would keep several of that shape. Here the logits are kept, and one map of gradients is written. All
    maps are treated as negatives, and the map of the label is corrected.
    """

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the terms of logits with labels (B, H, W) in 0..K, -1 at pixels that are not counted."""
        label, counts = labels[:, None].clamp_min(0), labels[:, None] >= 0  # (B, 1, H, W)
        is_object = counts & (label < logits.shape[1] - 1)
        at_label = logits.gather(1, label)

        focal = (FOCAL.of_negatives(logits) * counts).sum()
        focal = focal + ((FOCAL.of_positives(at_label) - FOCAL.of_negatives(at_label)) * counts).sum()
        total = counts.sum().clamp_min(1) * logits.shape[1]

        # overlap and area of prediction and labels in each image, (B,)
        overlap = (at_label.sigmoid() * is_object).sum(dim=(1, 2, 3))
        area = (logits[:, :-1].sigmoid() * counts).sum(dim=(1, 2, 3)) + is_object.sum(dim=(1, 2, 3))
        dice = 1 - (2 * overlap + 1) / (area + 1)
        ctx.save_for_backward(logits, label, counts, is_object, total, overlap, area)
        return torch.stack([focal / total, dice.mean()])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Compute the gradient of the logits from that of the terms (2,)."""
        logits, label, counts, is_object, total, overlap, area = ctx.saved_tensors
        by_focal, by_dice = gradients[0][0] / total, gradients[0][1] / len(logits)
        common = by_dice * (2 * overlap + 1) / (area + 1) ** 2  # (B,), at every pixel of all maps but the last
        own = -2 * by_dice / (area + 1)  # (B,), in addition at the label

        gradient = FOCAL.slope_of_negatives(logits).mul_(by_focal)
        gradient[:, :-1].addcmul_(common[:, None, None, None], compute_sigmoid_slope(logits[:, :-1]))
        gradient.mul_(counts)

        at_label = logits.gather(1, label)
        correction = by_focal * (FOCAL.slope_of_positives(at_label) - FOCAL.slope_of_negatives(at_label)) * counts
        correction = correction + own[:, None, None, None] * compute_sigmoid_slope(at_label) * is_object
        return gradient.scatter_add_(1, label, correction), None
