"""A method with everything that a checkpoint must handle: dropout, running statistics, a memory, frozen parts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.train_split import TrainSplit
from benchmark.core.types import IGNORE, Batch, Losses, Prediction


class Drop(Config):
    """Dropout of whole channels."""

    kind: Literal["drop"] = "drop"
    rate: float = 0.3


class SmallConfig(Config):
    """Width of the features, and dropout between body and classifier."""

    width: int = 4
    drop: Drop | None = Drop()


class Small(Method):
    """A frozen color map, one convolution, and one classifier row per class."""

    mean: Tensor
    memory: Tensor

    def __init__(self, *, width: int, drop: nn.Module, classes: Sequence[str]) -> None:
        super().__init__()
        self.all_names = tuple(classes)
        self.names = self.all_names
        self.color_map = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).requires_grad_(False)
        self.body = nn.Sequential(nn.Conv2d(3, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), drop)
        self.rows = nn.Parameter(torch.randn(len(classes), width))
        self.register_buffer("mean", torch.zeros(3, 1, 1))
        self.register_buffer("memory", torch.zeros(5))

    def set_classes(self, names: Sequence[str]) -> None:
        """Select the classes that are scored."""
        self.names = tuple(names)

    def losses(self, batch: Batch) -> Losses:
        """Return cross-entropy, and a term that depends on earlier iterations."""
        labels = torch.stack([sample["sem_seg"] for sample in batch])
        noise = torch.rand(1, generator=self.step_context.generator("memory"))
        self.memory[self.step_context.iteration % len(self.memory)] += noise[0].to(self.memory)
        classify = F.cross_entropy(self.compute_logits(batch), labels, ignore_index=IGNORE)
        return {"classify": classify, "remember": self.rows.square().mean() * self.memory.mean()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return logits (K, H, W) at full size."""
        return [{"sem_seg": logits} for logits in self.compute_logits(batch)]

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Set the mean color of the first images."""
        colors = [sample["image"].mean(dim=(1, 2)) for batch in batches for sample in batch]
        self.mean.copy_(torch.stack(colors).mean(dim=0)[:, None, None])

    def compute_logits(self, batch: Batch) -> Tensor:
        """Return logits (B, K, H, W)."""
        images = torch.stack([sample["image"] for sample in batch])
        features = self.body(self.color_map((images - self.mean) / 255))
        rows = self.rows[[self.all_names.index(name) for name in self.names]]
        return torch.einsum("bdhw,kd->bkhw", features, rows)


def build(config: SmallConfig, split: TrainSplit) -> Small:
    """Build the parts from their configs."""
    drop = nn.Dropout2d(config.drop.rate) if config.drop else nn.Identity()
    return Small(width=config.width, drop=drop, classes=split.classes)


OFFICIAL_NAMES = {"backbone.": "body.", "classifier": "rows", "memory": "memory", "pixel_mean": "mean"}
"""Beginnings of names in published checkpoints, and ours."""


def convert_official(official: Mapping[str, Tensor], method: Small) -> dict[str, Tensor]:
    """Rename the tensors of a published checkpoint; its "epoch" is left out."""
    tensors: dict[str, Tensor] = {}
    for name, tensor in official.items():
        old = next((old for old in OFFICIAL_NAMES if name.startswith(old)), "")
        if not old and name != "epoch":
            raise ValueError(f"1 of {len(official)} tensors is unknown ({name})")
        if old:
            tensors[OFFICIAL_NAMES[old] + name.removeprefix(old)] = tensor
    return tensors


VARIANTS: dict[str, SmallConfig] = {
    "Small": SmallConfig(),
    "no drop": SmallConfig(drop=None),
    "drop 0.5, wide": SmallConfig(width=8, drop=Drop(rate=0.5)),
}

RECIPE = Recipe(
    title="Small",
    paper="none",
    traits=Traits(supervision=Supervision.SEEN_MASKS_UNSEEN_NAMES),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=12, batch_size=2, learning_rate=1e-2, init_images=3)},
    presets={"toybox": {"width": 6, "drop.rate": 0.2}},
    convert_official=convert_official,
)
