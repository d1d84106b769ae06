"""Cross-entropy, focal and dice loss of score maps that share one softmax and have a gradient in closed form.

The scores of a batch are its largest tensor: 156 classes on 16 crops of 512 x 512 are 2.6 GB in float32. Automatic
differentiation of the three terms keeps a softmax for each and, for dice, masks of the same shape. Here one map of
probabilities is kept, and one map of gradients is written.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

FOCAL_GAMMA = 2.0
"""Strength of the focal loss's down-weighting of easy pixels (arXiv 1708.02002, section 5.1)."""


@dataclass(frozen=True)
class PixelTextTerms:
    """Losses of a batch, () each; 0 if no pixel is labeled.

    Attributes:
        cross_entropy: Mean of -log p over labeled pixels, for the probability p of the label.
        focal: Mean of (1 - p)^gamma · -log p over labeled pixels.
        dice: Mean of 1 - (2·Σpm + 1) / (Σp + Σm + 1) over the classes in the batch, for probabilities p and masks m.
    """

    cross_entropy: Tensor
    focal: Tensor
    dice: Tensor


def compute_pixel_text_terms(logits: Tensor, labels: Tensor, *, ignore: int) -> PixelTextTerms:
    """Compute the three terms on labeled pixels, in float32 or the wider type of the logits.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) long.
        ignore: Label of unlabeled pixels.
    """
    precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
    with torch.autocast(logits.device.type, enabled=False):
        return PixelTextTerms(*_PixelTextFunction.apply(precise, labels.masked_fill(labels == ignore, -1)))


class _PixelTextFunction(torch.autograd.Function):
    """The three terms (3,) of logits (B, K, H, W); keeps 4 bytes per score in float32, and 8 during `backward`."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the terms and keep the probabilities; labels are -1 at unlabeled pixels."""
        # label of every pixel, 0 where there is none, and whether there is one: (B, 1, H, W)
        is_labeled, label = (labels >= 0).unsqueeze(1), labels.clamp_min(0).unsqueeze(1)
        count = is_labeled.sum().clamp_min(1)

        # probabilities of all classes (B, K, H, W) and of the label (B, 1, H, W), zero at unlabeled pixels
        log_probabilities = logits.log_softmax(dim=1)
        nll = -log_probabilities.gather(1, label) * is_labeled
        matching = (-nll).exp() * is_labeled
        probabilities = log_probabilities.exp_().mul_(is_labeled)

        # overlap and area of prediction and mask of every class, (K,)
        overlap = _sum_by_class(matching, label, num_classes=logits.shape[1])
        mask_area = _sum_by_class(is_labeled, label, num_classes=logits.shape[1])
        areas = probabilities.sum(dim=(0, 2, 3)) + mask_area
        is_present = mask_area > 0

        focal = (1 - matching) ** FOCAL_GAMMA * nll
        dice = ((1 - (2 * overlap + 1) / (areas + 1)) * is_present).sum() / is_present.sum().clamp_min(1)
        ctx.save_for_backward(probabilities, matching, label, is_labeled, nll, count, overlap, areas, is_present)
        return torch.stack([nll.sum() / count, focal.sum() / count, dice])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        """Compute the gradient of the logits from that of the terms (3,)."""
        probabilities, matching, label, is_labeled, nll, count, overlap, areas, is_present = ctx.saved_tensors
        to_cross_entropy, to_focal, to_dice = gradients[0].unbind()

        # cross-entropy and focal: derivative by -log p of the label, (B, 1, H, W)
        miss = 1 - matching
        by_nll = FOCAL_GAMMA * miss ** (FOCAL_GAMMA - 1) * matching * nll + miss**FOCAL_GAMMA
        slope = is_labeled * (to_cross_entropy + to_focal * by_nll) / count

        # dice: derivative by the probability of class k, common[k] - (own[k] at pixels of class k), (K,)
        share = to_dice * is_present / is_present.sum().clamp_min(1)
        common, own = share * (2 * overlap + 1) / (areas + 1) ** 2, 2 * share / (areas + 1)
        own_pull = matching * own.take(label)  # (B, 1, H, W)
        with torch.autocast(probabilities.device.type, enabled=False):
            pull = (common @ probabilities.flatten(2)).view_as(matching) - own_pull

        # through the softmax: p · (common + slope - pull), and at the label in addition -(slope + own_pull)
        gradient = torch.add(common[:, None, None], slope - pull).mul_(probabilities)
        at_label = gradient.gather(1, label) - (slope + own_pull)
        return gradient.scatter_(1, label, at_label), None


def _sum_by_class(values: Tensor, label: Tensor, *, num_classes: int) -> Tensor:
    """Sum values (B, 1, H, W) by the class of each pixel, in float64: (K,) in float32 or the wider type of the values.

    Args:
        values: Numbers; 0 at unlabeled pixels.
        label: (B, 1, H, W) long.
        num_classes: Number K of classes.
    """
    total = torch.zeros(num_classes, dtype=torch.float64, device=values.device)
    total.index_add_(0, label.flatten(), values.flatten().double())
    return total.to(torch.promote_types(values.dtype, torch.float32))
