"""The method of ZegCLIP's family: a prompted CLIP, and a head that scores a mask for each class."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from benchmark.core.method import Method
from benchmark.core.types import Batch, Losses, Prediction
from methods.blocks.class_embeddings import TextBank
from methods.blocks.images import stack_images, stack_labels
from methods.blocks.prompted_clip.encoder import PromptedClip, PromptedFeatures
from methods.blocks.prompted_clip.objective import MaskObjective


class MaskHead(nn.Module, ABC):
    """A head that scores a mask for each class."""

    @abstractmethod
    def forward(
        self, features: PromptedFeatures, text: Tensor, generator: torch.Generator | None
    ) -> Mapping[str, Tensor]:
        """Compute the logits of masks.

        Args:
            features: Features of B images.
            text: Embeddings of K classes, (K, D), or (K, T, D) if the text bank of the method returns T for each class.
            generator: CPU generator of the dropout; None for no dropout.

        Returns:
            Logits (B, K, h, w) by the name of a path through the head, which ends the names of its losses; "" for a
            single path. Each path is trained; predictions use the mean of all paths.
        """


class Vocabulary(nn.Module, ABC):
    """Embeddings of the current classes."""

    @abstractmethod
    def set_classes(self, names: Sequence[str]) -> None:
        """Change the vocabulary."""

    @abstractmethod
    def forward(self) -> Tensor:
        """Return the embeddings of the K classes, (K, ..., D) unit vectors."""


class PromptedSegmenter(Method):
    """Prompted CLIP, class embeddings, head and loss.

    Args:
        encoder: CLIP's image encoder with prompts.
        text: Class embeddings.
        head: Head that scores masks.
        objective: Loss, and the probabilities that fit it.
    """

    def __init__(
        self, *, encoder: PromptedClip, text: TextBank | Vocabulary, head: MaskHead, objective: MaskObjective
    ) -> None:
        super().__init__()
        self.encoder, self.text, self.head, self.objective = encoder, text, head, objective

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `losses` and `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the losses of every path through the head."""
        images = stack_images(batch, stride=self.encoder.encoder.patch_size)
        generator = self.step_context.generator("dropout")
        losses: Losses = {}
        for path, logits in self.compute_paths(images, generator).items():
            labels = stack_labels(batch, size=images.shape[2:], num_classes=logits.shape[1])
            losses |= {f"{name}{path}": loss for name, loss in self.objective(logits, labels).items()}
        return losses

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compute the probabilities of each image."""
        return self.objective.predict(self.compute_logits, batch, stride=self.encoder.encoder.patch_size)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute mean logits of all paths: images (B, 3, H, W), RGB in 0-255, to (B, K, h, w)."""
        return torch.stack(list(self.compute_paths(images, None).values())).mean(dim=0)

    def compute_paths(self, images: Tensor, generator: torch.Generator | None) -> Mapping[str, Tensor]:
        """Compute the logits of each path; see `MaskHead`."""
        paths: Mapping[str, Tensor] = self.head(self.encoder(images, generator), self.text(), generator)
        return paths
