"""A method that breaks one rule of the contract in each variant, and none in the first one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.api import (
    Batch,
    Budget,
    Config,
    Losses,
    Method,
    Prediction,
    Recipe,
    Supervision,
    TrainSplit,
    Traits,
)

Fault = Literal["", "neighbors", "random", "in place", "size", "infinite", "state", "vocabulary", "vector", "unused"]


class FaultyConfig(Config):
    """The rule to break; "" for none."""

    fault: Fault = ""


class FaultyMethod(Method):
    """A linear map of colors with one fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self.fault = fault
        self.linear = nn.Conv2d(3, 64, kernel_size=1)
        self.unused = nn.Linear(1, 1) if fault == "unused" else nn.Identity()
        self.register_buffer("calls", torch.zeros(()))
        self.num_classes = 64

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary."""
        self.num_classes = 64 if self.fault == "vocabulary" else len(names)

    def losses(self, batch: Batch) -> Losses:
        """Compute the cross-entropy of each image."""
        terms = [
            F.cross_entropy(self.compute_logits(sample["image"])[None], sample["sem_seg"][None], ignore_index=255)
            for sample in batch
        ]
        loss = torch.stack(terms)
        return {"loss": loss if self.fault == "vector" else loss.mean()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Predict each image."""
        if self.fault == "in place":
            batch[0]["image"].add_(1)
        if self.fault == "state":
            self.get_buffer("calls").add_(1)
        predictions = []
        for sample in batch:
            logits = self.compute_logits(sample["image"])
            if self.fault == "neighbors":
                logits = logits * len(batch)
            if self.fault == "random":
                logits = logits + torch.rand(())
            if self.fault == "infinite":
                logits = logits - torch.inf
            size = (sample["height"], sample["width"])
            logits = logits if self.fault == "size" else F.interpolate(logits[None], size=size)[0]
            predictions.append(Prediction(sem_seg=logits))
        return predictions

    def compute_logits(self, image: Tensor) -> Tensor:
        """Compute logits: (3, H, W) to (K, H, W)."""
        logits: Tensor = self.linear(image / 255)[: self.num_classes]
        return logits


def build(config: FaultyConfig, split: TrainSplit) -> FaultyMethod:
    """Build the method."""
    return FaultyMethod(config.fault)


VARIANTS = {
    "none": FaultyConfig(),
    "neighbors": FaultyConfig(fault="neighbors"),
    "random": FaultyConfig(fault="random"),
    "in place": FaultyConfig(fault="in place"),
    "size": FaultyConfig(fault="size"),
    "infinite": FaultyConfig(fault="infinite"),
    "state": FaultyConfig(fault="state"),
    "vocabulary": FaultyConfig(fault="vocabulary"),
    "vector": FaultyConfig(fault="vector"),
    "unused": FaultyConfig(fault="unused"),
}
RECIPE = Recipe(
    title="Faulty method",
    paper="",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=1)},
)
