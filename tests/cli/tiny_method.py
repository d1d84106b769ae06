"""A method small enough for tests: a linear map of colors that can be configured to fail or to die."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.api import Batch, Budget, Config, Losses, Method, Prediction, Recipe, Supervision, TrainSplit, Traits


class TinyConfig(Config):
    """Events during training.

    Attributes:
        scale: Factor applied to the image.
        end: Whether training succeeds, raises an error or is killed.
        pause_s: Seconds to wait in every step.
    """

    scale: float = 0.01
    end: Literal["well", "raise", "die"] = "well"
    pause_s: float = 0.0


class Tiny(Method):
    """Linear map from colors to classes."""

    def __init__(self, config: TinyConfig, *, classes: int) -> None:
        super().__init__()
        self.config = config
        self.linear = nn.Conv2d(3, classes, 1)
        self.names: tuple[str, ...] = ()

    def set_classes(self, names: Sequence[str]) -> None:
        """Use the first channels for these names."""
        self.names = tuple(names)

    def losses(self, batch: Batch) -> Losses:
        """Return the cross-entropy, or end as configured."""
        time.sleep(self.config.pause_s)
        if self.config.end == "raise":
            raise ValueError("the loss fails as configured")
        if self.config.end == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        pairs = [(self.logits(sample["image"]), sample["sem_seg"]) for sample in batch]
        sums = [
            F.cross_entropy(logits[None], labels[None], reduction="sum", ignore_index=255) for logits, labels in pairs
        ]
        return {"loss": torch.stack(sums).mean() / pairs[0][1].numel()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return logits at full size."""
        return [{"sem_seg": self.logits(sample["image"])[: len(self.names)]} for sample in batch]

    def logits(self, image: Tensor) -> Tensor:
        """Compute logits.

        Args:
            image: (3, H, W) RGB in 0-255.

        Returns:
            (K, H, W).
        """
        logits: Tensor = self.linear(image * self.config.scale)
        return logits


def build(config: TinyConfig, split: TrainSplit) -> Tiny:
    """Build a map with one weight per class and color."""
    return Tiny(config, classes=split.num_classes)


VARIANTS: dict[str, TinyConfig] = {"Tiny": TinyConfig(), "no scale": TinyConfig(scale=0.0)}

RECIPE = Recipe(
    title="Tiny",
    paper="none",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=3, batch_size=2)},
)
