"""The least method there is: colours to classes by a matrix that nobody trains. For measuring what is around runs."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction


class TrivialConfig(Config):
    """Nothing to choose."""


class Trivial(Method):
    """A linear map of every pixel."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.scores = nn.Conv2d(3, classes, 1)
        self.names: tuple[str, ...] = ()

    def set_classes(self, names: Sequence[str]) -> None:
        """The first channels are theirs."""
        self.names = tuple(names)

    def losses(self, batch: Batch) -> Losses:
        """The scores should be small."""
        return {"loss": torch.stack([self.scores(sample["image"]).square().mean() for sample in batch]).mean()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Scores at full size."""
        return [{"sem_seg": self.scores(sample["image"])[: len(self.names)]} for sample in batch]


def build(_config: TrivialConfig, split: Split) -> Trivial:
    """One channel a class."""
    return Trivial(len(split.classes))


VARIANTS: dict[str, TrivialConfig] = {"Trivial": TrivialConfig()}

RECIPE = Recipe(
    title="Trivial",
    paper="none",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=0, batch_size=1)},
)
