"""Method that trains nothing and scores pixels with a linear map, to measure the cost of everything around a method."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from benchmark.api import Batch, Budget, Config, Losses, Method, Prediction, Recipe, Supervision, TrainSplit, Traits


class NoopConfig(Config):
    """Config without fields."""


class NoopMethod(Method):
    """Linear map of the color of every pixel.

    Args:
        classes: Number of classes.
    """

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, classes, 1)
        self.names: tuple[str, ...] = ()

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the classes to score; they use the first channels."""
        self.names = tuple(names)

    def losses(self, batch: Batch) -> Losses:
        """Return the mean square of the scores (K, H, W) of images (3, H, W): a scalar."""
        return {"loss": torch.stack([self.scores(sample["image"]).square().mean() for sample in batch]).mean()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return sem_seg (K, H, W) for each image (3, H, W)."""
        return [{"sem_seg": self.scores(sample["image"])[: len(self.names)]} for sample in batch]


def build(_config: NoopConfig, split: TrainSplit) -> NoopMethod:
    """Build the method with one channel per class."""
    return NoopMethod(split.num_classes)


VARIANTS: dict[str, NoopConfig] = {"no-op": NoopConfig()}

RECIPE = Recipe(
    title="No-op",
    paper="none",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=0, batch_size=1)},
)
