"""Pixel-text losses: cross-entropy, focal and dice over cosine scores, on labelled pixels only."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Losses, ignore_label


class PixelTextConfig(Config):
    """Weights of the three terms; a term with weight 0 is not computed.

    Attributes:
        cross_entropy: softmax cross-entropy over the seen classes.
        focal: multi-class focal loss (arXiv 1708.02002, eq. 4, on softmax probabilities), gamma 2.
        dice: 1 - dice per class present in the batch, on softmax probabilities.
    """

    cross_entropy: float = 1.0
    focal: float = 0.5
    dice: float = 0.5


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean over labelled pixels; 0 where there are none. logits: (B, K, H, W); labels: (B, H, W)."""
    ignore = ignore_label(logits.shape[1])
    count = (labels != ignore).sum().clamp_min(1)
    return F.cross_entropy(logits, labels, ignore_index=ignore, reduction="sum") / count


def focal(logits: Tensor, labels: Tensor, *, gamma: float = 2.0) -> Tensor:
    """Cross-entropy with easy pixels faded by (1 - p)^gamma; mean over labelled pixels, 0 where there are none."""
    ignore = ignore_label(logits.shape[1])
    nll = F.cross_entropy(logits, labels, ignore_index=ignore, reduction="none")
    return ((1 - (-nll).exp()) ** gamma * nll).sum() / (labels != ignore).sum().clamp_min(1)


def dice(logits: Tensor, labels: Tensor) -> Tensor:
    """1 - (2·Σpm + 1) / (Σp + Σm + 1), mean over the classes present in the batch; 0 where there are none."""
    is_labelled = labels != ignore_label(logits.shape[1])
    labelled = is_labelled.unsqueeze(1)
    truth = F.one_hot(labels.masked_fill(~is_labelled, 0), logits.shape[1]).movedim(3, 1) * labelled
    guess = logits.softmax(dim=1) * labelled
    overlap = torch.einsum("bkhw,bkhw->k", guess, truth.to(guess.dtype))
    areas = guess.sum(dim=(0, 2, 3)) + truth.sum(dim=(0, 2, 3))
    present = truth.sum(dim=(0, 2, 3)) > 0
    terms = 1 - (2 * overlap + 1) / (areas + 1)
    return (terms * present).sum() / present.sum().clamp_min(1)


class PixelTextLoss(nn.Module):
    """The weighted terms of a config."""

    def __init__(self, config: PixelTextConfig) -> None:
        super().__init__()
        terms = {
            "cross_entropy": (config.cross_entropy, cross_entropy),
            "focal": (config.focal, focal),
            "dice": (config.dice, dice),
        }
        self._terms = {name: term for name, term in terms.items() if term[0] > 0}

    def forward(self, scores: Tensor, labels: Tensor) -> Losses:
        """Upsample scores to the labels and compare.

        Args:
            scores: (B, K, h, w) scaled cosines.
            labels: (B, H, W) long, `benchmark.core.types.ignore_label(K)` where nothing is known.
        """
        logits = F.interpolate(scores, size=labels.shape[1:], mode="bilinear", align_corners=False)
        return {f"loss_{name}": weight * term(logits, labels) for name, (weight, term) in self._terms.items()}
