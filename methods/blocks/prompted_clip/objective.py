"""Losses of masks, each with the probabilities that fit it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from benchmark.core.method import Config
from benchmark.core.types import Batch, Losses, Prediction
from methods.blocks.class_masks import ClassMaskConfig, ClassMaskLoss, predict_class_masks
from methods.blocks.images import predict_each
from methods.blocks.losses import PixelTextConfig, PixelTextLoss


class SoftmaxConfig(Config):
    """Softmax cross-entropy over the classes, on labeled pixels."""

    kind: Literal["softmax"] = "softmax"


class SigmoidConfig(ClassMaskConfig):
    """The non-exclusive loss of ZegCLIP: focal and dice loss of every class by itself."""

    kind: Literal["sigmoid"] = "sigmoid"


MaskObjectiveConfig = Annotated[SigmoidConfig | SoftmaxConfig, Field(discriminator="kind")]
"""Config of a loss of masks."""


class MaskObjective(nn.Module, ABC):
    """A loss of masks, and the probabilities that fit it."""

    @abstractmethod
    def forward(self, logits: Tensor, labels: Tensor) -> Losses:
        """Compute losses by name; shapes as in `ClassMaskLoss`."""

    @abstractmethod
    def predict(self, compute_logits: Callable[[Tensor], Tensor], batch: Batch, *, stride: int) -> list[Prediction]:
        """Predict probabilities; arguments as in `predict_class_masks`."""


class SigmoidObjective(MaskObjective):
    """Focal and dice loss of every class, and sigmoids."""

    def __init__(self, config: SigmoidConfig) -> None:
        super().__init__()
        self.loss = ClassMaskLoss(config)

    def forward(self, logits: Tensor, labels: Tensor) -> Losses:
        """Compute focal and dice loss; shapes as in `ClassMaskLoss`."""
        losses: Losses = self.loss(logits, labels)
        return losses

    def predict(self, compute_logits: Callable[[Tensor], Tensor], batch: Batch, *, stride: int) -> list[Prediction]:
        """Predict sigmoids at the resolution of the image; arguments as in `predict_class_masks`."""
        return predict_class_masks(compute_logits, batch, stride=stride)


class SoftmaxObjective(MaskObjective):
    """Cross-entropy, and a softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.loss = PixelTextLoss(PixelTextConfig(focal=0, dice=0))

    def forward(self, logits: Tensor, labels: Tensor) -> Losses:
        """Compute the cross-entropy; shapes as in `PixelTextLoss`."""
        losses: Losses = self.loss(logits, labels)
        return losses

    def predict(self, compute_logits: Callable[[Tensor], Tensor], batch: Batch, *, stride: int) -> list[Prediction]:
        """Predict the softmax over the classes at every patch; arguments as in `predict_class_masks`."""
        return predict_each(lambda images: compute_logits(images).float().softmax(dim=1), batch, stride=stride)


def build_mask_objective(config: SigmoidConfig | SoftmaxConfig) -> MaskObjective:
    """Build the loss that a config describes."""
    return SigmoidObjective(config) if isinstance(config, SigmoidConfig) else SoftmaxObjective()
