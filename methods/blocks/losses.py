"""Pixel-text loss: cross-entropy, focal and dice loss on labeled pixels, in a weighted sum."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Losses, get_ignore_label
from methods.blocks.loss_weights import check_any_weight
from methods.blocks.pixel_text_terms import compute_pixel_text_terms
from methods.blocks.resizing import resize_maps


class PixelTextConfig(Config):
    """Weights of the three terms; a term with weight 0 is not part of the loss.

    Attributes:
        cross_entropy: Softmax cross-entropy over the seen classes.
        focal: Multi-class focal loss (arXiv 1708.02002, eq. 4, on softmax probabilities) with gamma 2.
        dice: 1 - dice on softmax probabilities, averaged over the classes in the batch.
    """

    cross_entropy: float = Field(default=1.0, ge=0)
    focal: float = Field(default=0.5, ge=0)
    dice: float = Field(default=0.5, ge=0)

    def check_has_a_term(self) -> None:
        """Check, for the `check_plan` of methods without another loss, that a term is part of the loss.

        Raises:
            ValueError: All weights are 0.
        """
        check_any_weight(self, "cross_entropy", "focal", "dice", prefix="loss.")


class PixelTextLoss(nn.Module):
    """Weighted sum of cross-entropy, focal and dice loss, reported term by term."""

    def __init__(self, config: PixelTextConfig) -> None:
        super().__init__()
        weights = {"cross_entropy": config.cross_entropy, "focal": config.focal, "dice": config.dice}
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}

    def forward(self, logits: Tensor, labels: Tensor) -> Losses:
        """Resize logits to the labels and compute the weighted terms.

        Args:
            logits: (B, K, h, w).
            labels: (B, H, W) long, `benchmark.core.types.get_ignore_label(K)` at unlabeled pixels.

        Returns:
            Losses () by name.
        """
        precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
        resized = resize_maps(precise, labels.shape[1:])
        terms = compute_pixel_text_terms(resized, labels, ignore=get_ignore_label(logits.shape[1]))
        return {f"loss_{name}": weight * getattr(terms, name) for name, weight in self._weights.items()}
