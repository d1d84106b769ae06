"""Loss of one mask per class: focal and dice loss on sigmoids, as ZegCLIP's non-exclusive loss (arXiv 2212.03588)."""

from __future__ import annotations

from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Losses, get_ignore_label
from methods.blocks.class_masks.terms import compute_class_mask_terms
from methods.blocks.loss_weights import check_any_weight
from methods.blocks.resizing import resize_maps


class ClassMaskConfig(Config):
    """Weights of both terms; a term with weight 0 is not part of the loss.

    Attributes:
        focal: Focal loss of every class, see `ClassMaskTerms`.
        dice: Dice loss of the classes in the labels of each image.
        ignore_as_negative: Whether an unlabeled pixel lies outside the mask of every class; otherwise, it is not
            counted.
    """

    focal: float = Field(default=100.0, ge=0)
    dice: float = Field(default=1.0, ge=0)
    ignore_as_negative: bool = True

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        check_any_weight(self, "focal", "dice")
        return self


class ClassMaskLoss(nn.Module):
    """Weighted sum of focal and dice loss of one mask per class, reported term by term."""

    def __init__(self, config: ClassMaskConfig) -> None:
        super().__init__()
        weights = {"focal": config.focal, "dice": config.dice}
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._ignore_as_negative = config.ignore_as_negative

    def forward(self, logits: Tensor, labels: Tensor) -> Losses:
        """Resize logits to the labels and compute the weighted terms.

        Args:
            logits: (B, K, h, w).
            labels: (B, H, W) long, `benchmark.core.types.get_ignore_label(K)` at unlabeled pixels.

        Returns:
            Losses () by name.
        """
        precise = logits.to(torch.promote_types(logits.dtype, torch.float32))
        terms = compute_class_mask_terms(
            resize_maps(precise, labels.shape[1:]),
            labels,
            ignore=get_ignore_label(logits.shape[1]),
            ignore_as_negative=self._ignore_as_negative,
        )
        return {f"loss_{name}": weight * getattr(terms, name) for name, weight in self._weights.items()}
