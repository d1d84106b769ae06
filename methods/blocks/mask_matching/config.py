"""Weights and options of Hungarian matching and of the mask losses of query-based segmenters."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from benchmark.core.method import Config
from methods.blocks.loss_weights import check_any_weight

MaskTerm = Literal["focal", "bce"]
"""Loss of a pixel: the focal loss (arXiv 1708.02002, alpha 0.25, gamma 2), or plain binary cross-entropy."""

Unlabeled = Literal["negative", "ignored"]
"""Unlabeled pixels are outside every mask, as in the papers, or do not count."""


class PointSamplingConfig(Config):
    """Sampled points in place of all pixels (PointRend, arXiv 1912.08193; Mask2Former, arXiv 2112.01527).

    Matching draws uniform points, the same for all queries of an image. The losses draw points of each matched mask:
    of more uniform points than needed, those with the least certain predictions, and uniform ones for the rest.

    Attributes:
        points: Number of points of a mask.
        oversampling: Number of uniform candidates for each point of the losses.
        uncertain: Share of the points that are the least certain candidates.
    """

    points: int = Field(default=112 * 112, ge=1)
    oversampling: float = Field(default=3.0, ge=1)
    uncertain: float = Field(default=0.75, ge=0, le=1)


class MaskMatchingConfig(Config):
    """Weights of the three terms, in the cost of a match and in the losses alike.

    The defaults are MaskFormer's (arXiv 2107.06278), which zsseg keeps. SAN: `class_weight=2, mask_weight=5,
    dice_weight=5, mask_term="bce", sampling=PointSamplingConfig()`.

    Attributes:
        class_weight: Weight of the classification.
        mask_weight: Weight of the mean over pixels of `mask_term`.
        dice_weight: Weight of the dice term.
        no_object_weight: Weight, among the queries, of one that is matched to nothing; 0 leaves these queries out.
        mask_term: Loss of a pixel.
        sampling: Sampled points in place of all pixels; None for all pixels.
        unlabeled: What unlabeled pixels are.
    """

    class_weight: float = Field(default=1.0, ge=0)
    mask_weight: float = Field(default=20.0, ge=0)
    dice_weight: float = Field(default=1.0, ge=0)
    no_object_weight: float = Field(default=0.1, ge=0)
    mask_term: MaskTerm = "focal"
    sampling: PointSamplingConfig | None = None
    unlabeled: Unlabeled = "negative"

    @model_validator(mode="after")
    def _check_weights(self) -> Self:
        check_any_weight(self, "class_weight", "mask_weight", "dice_weight")
        return self
