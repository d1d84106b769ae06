"""Focal and dice loss of one mask per class on sigmoids, with a gradient in closed form.

The masks of a batch are its largest tensor: 156 classes on 16 crops of 512 x 512 are 2.6 GB in float32. Automatic
differentiation of both terms keeps several of that shape, and masks of the labels besides. Here the logits are kept,
and one map of gradients is written. The label of a pixel changes the terms of one class only, so that no map of
one-hot labels is made: all classes are treated as negatives, and the class of the label is corrected.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from methods.blocks.binary_focal import BinaryFocal, compute_sigmoid_slope

FOCAL = BinaryFocal()
NEGATIVE, NOT_COUNTED = -1, -2
"""Labels of pixels outside the mask of every class, and of pixels that are left out."""


@dataclass(frozen=True)
class ClassMaskTerms:
    """Losses of a batch, () each. M is the number of masks: of pairs of an image and a class in its labels, at least 1.

    Attributes:
        focal: Focal loss of all classes, averaged over the counted pixels of each image, summed over images and
            classes, and divided by M.
        dice: Sum over the masks of 1 - (2·Σpm + 1) / (Σp + Σm + 1) for probabilities p and labels m in 0 or 1, divided
            by M.
    """

    focal: Tensor
    dice: Tensor


def compute_class_mask_terms(
    logits: Tensor, labels: Tensor, *, ignore: int, ignore_as_negative: bool = True
) -> ClassMaskTerms:
    """Compute both terms, in float32 or the wider type of the logits.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) long.
        ignore: Label of unlabeled pixels.
        ignore_as_negative: Whether an unlabeled pixel lies outside the mask of every class, as in MaskFormer and its
            successors; otherwise, it is not counted.
    """
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    with torch.autocast(logits.device.type, enabled=False):
        classes = labels.masked_fill(labels == ignore, NEGATIVE if ignore_as_negative else NOT_COUNTED)
        return ClassMaskTerms(*_ClassMaskFunction.apply(precise, classes))


class _ClassMaskFunction(torch.autograd.Function):
    """Both terms (2,) of logits (B, K, H, W), image by image, because one image fits into the cache of a processor."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the terms; labels are NEGATIVE or NOT_COUNTED at unlabeled pixels."""
        # label of every pixel, 0 if it has none, whether there is one, and whether it counts: (B, 1, H, W)
        is_labeled, label = (labels >= 0).unsqueeze(1), labels.clamp_min(0).unsqueeze(1)
        is_counted = (labels != NOT_COUNTED).unsqueeze(1)
        counts = None if bool(is_counted.all()) else is_counted
        pixels = is_labeled[0].numel() if counts is None else counts.sum(dim=(1, 2, 3)).clamp_min(1)  # (B,)

        # overlap and area of prediction and mask of every class in each image, (B, K)
        at_label = logits.gather(1, label)
        overlap = _sum_by_class(at_label.sigmoid() * is_labeled, label, num_classes=logits.shape[1])
        mask_area = _sum_by_class(is_labeled, label, num_classes=logits.shape[1])
        is_present = mask_area > 0
        masks = is_present.sum().clamp_min(1)

        # focal loss of each image, (B,): as if all pixels were negatives, then corrected at the label
        images = zip(logits, [None] * len(logits) if counts is None else counts, strict=True)
        sums = [_sum_image(image, image_counts) for image, image_counts in images]
        negative, areas = (torch.stack(values) for values in zip(*sums, strict=True))
        areas = areas + mask_area
        correction = (FOCAL.of_positives(at_label) - FOCAL.of_negatives(at_label)) * is_labeled
        focal = ((negative + correction.sum(dim=(1, 2, 3))) / pixels).sum() / masks
        dice = ((1 - (2 * overlap + 1) / (areas + 1)) * is_present).sum() / masks
        ctx.pixels, ctx.counts = pixels, counts
        ctx.save_for_backward(logits, label, is_labeled, overlap, areas, is_present, masks)
        return torch.stack([focal, dice])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Compute the gradient of the logits from that of the terms (2,)."""
        logits, label, is_labeled, overlap, areas, is_present, masks = ctx.saved_tensors
        to_focal, to_dice = gradients[0].unbind()
        by_focal = (to_focal / masks / ctx.pixels).expand(len(logits))[:, None, None, None]  # (B, 1, 1, 1)

        # dice: derivative by the probability, at every pixel and in addition at the label, (B, K)
        share = to_dice / masks * is_present
        common, own = share * (2 * overlap + 1) / (areas + 1) ** 2, -2 * share / (areas + 1)

        gradient = torch.empty_like(logits)
        for index, image in enumerate(logits):
            slope = FOCAL.slope_of_negatives(image).mul_(by_focal[index])
            slope.addcmul_(common[index, :, None, None], compute_sigmoid_slope(image))
            gradient[index] = slope if ctx.counts is None else slope.mul_(ctx.counts[index])

        at_label = logits.gather(1, label)
        own_at_label = own.gather(1, label.flatten(1)).view_as(at_label)  # (B, 1, H, W)
        correction = (FOCAL.slope_of_positives(at_label) - FOCAL.slope_of_negatives(at_label)) * by_focal
        correction = (correction + own_at_label * compute_sigmoid_slope(at_label)) * is_labeled
        return gradient.scatter_add_(1, label, correction), None


def _sum_image(logits: Tensor, counts: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the focal loss of an image as if all pixels were negatives, (), and the sums of probabilities, (K,).

    Args:
        logits: (K, H, W).
        counts: (1, H, W) bool, whether a pixel counts; None if all do.
    """
    probabilities, focal = logits.sigmoid(), FOCAL.of_negatives(logits)
    if counts is not None:
        probabilities, focal = probabilities * counts, focal * counts
    return focal.sum(), probabilities.sum(dim=(1, 2))


def _sum_by_class(values: Tensor, label: Tensor, *, num_classes: int) -> Tensor:
    """Sum values (B, 1, H, W) by image and the class of each pixel, in float64: (B, K) in float32 or the wider type.

    Args:
        values: Numbers; 0 at unlabeled pixels.
        label: (B, 1, H, W) long.
        num_classes: Number K of classes.
    """
    total = torch.zeros(len(values), num_classes, dtype=torch.float64, device=values.device)
    total.scatter_add_(1, label.flatten(1), values.flatten(1).double())
    return total.to(torch.promote_types(values.dtype, torch.float32))
