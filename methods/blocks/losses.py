"""Pixel-text losses: cross-entropy, focal and dice loss on labeled pixels."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Losses, get_ignore_label


class PixelTextConfig(Config):
    """Weights of the three terms; a term with weight 0 is not computed.

    Attributes:
        cross_entropy: Softmax cross-entropy over the seen classes.
        focal: Multi-class focal loss (arXiv 1708.02002, eq. 4, on softmax probabilities) with gamma 2.
        dice: 1 - dice on softmax probabilities, averaged over the classes in the batch.
    """

    cross_entropy: float = 1.0
    focal: float = 0.5
    dice: float = 0.5


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Average the cross-entropy over labeled pixels.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) long.

    Returns:
        () loss; 0 if no pixel is labeled.
    """
    ignore = get_ignore_label(logits.shape[1])
    count = (labels != ignore).sum().clamp_min(1)
    return F.cross_entropy(logits, labels, ignore_index=ignore, reduction="sum") / count


def focal_loss(logits: Tensor, labels: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Average the cross-entropy, weighted by (1 - p)^gamma, over labeled pixels.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) long.
        gamma: Strength of the down-weighting of easy pixels.

    Returns:
        () loss; 0 if no pixel is labeled.
    """
    ignore = get_ignore_label(logits.shape[1])
    nll = F.cross_entropy(logits, labels, ignore_index=ignore, reduction="none")
    return ((1 - (-nll).exp()) ** gamma * nll).sum() / (labels != ignore).sum().clamp_min(1)


def dice_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Average 1 - (2·Σpm + 1) / (Σp + Σm + 1) over the classes in the batch, for probabilities p and masks m.

    Args:
        logits: (B, K, H, W).
        labels: (B, H, W) long.

    Returns:
        () loss; 0 if no pixel is labeled.
    """
    # one-hot targets and probabilities (B, K, H, W), zero at unlabeled pixels
    is_labeled = labels != get_ignore_label(logits.shape[1])
    mask = is_labeled.unsqueeze(1)
    target = F.one_hot(labels.masked_fill(~is_labeled, 0), logits.shape[1]).movedim(3, 1) * mask
    probabilities = logits.softmax(dim=1) * mask

    # overlap and areas of every class (K,)
    overlap = torch.einsum("bkhw,bkhw->k", probabilities, target.to(probabilities.dtype))
    areas = probabilities.sum(dim=(0, 2, 3)) + target.sum(dim=(0, 2, 3))

    # mean over the classes that are present
    is_present = target.sum(dim=(0, 2, 3)) > 0
    terms = 1 - (2 * overlap + 1) / (areas + 1)
    return (terms * is_present).sum() / is_present.sum().clamp_min(1)


class PixelTextLoss(nn.Module):
    """Weighted sum of cross-entropy, focal and dice loss, reported term by term."""

    def __init__(self, config: PixelTextConfig) -> None:
        super().__init__()
        terms = {
            "cross_entropy": (config.cross_entropy, cross_entropy),
            "focal": (config.focal, focal_loss),
            "dice": (config.dice, dice_loss),
        }
        self._terms = {name: term for name, term in terms.items() if term[0] > 0}

    def forward(self, logits: Tensor, labels: Tensor) -> Losses:
        """Resize logits to the labels and compute the weighted terms.

        Args:
            logits: (B, K, h, w).
            labels: (B, H, W) long, `benchmark.core.types.get_ignore_label(K)` at unlabeled pixels.

        Returns:
            Losses () by name.
        """
        logits = F.interpolate(logits, size=labels.shape[1:], mode="bilinear", align_corners=False)
        return {f"loss_{name}": weight * term(logits, labels) for name, (weight, term) in self._terms.items()}
