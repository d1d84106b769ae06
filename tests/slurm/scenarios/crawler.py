"""Method for tests that is slow on purpose, or behaves in training as a test requests.

The file does not import other test modules, so that the digest of its code does not change with them.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Method, Recipe, Supervision, Traits
from benchmark.core.train_split import TrainSplit
from benchmark.core.types import Batch, Losses, Prediction

BEHAVIORS = "CHIMERA_BENCH_TEST_BEHAVIORS"
"""Variable with a folder of behaviors: one file per label, or a file "all". Without it, runs are not slowed down."""
CRAWL_S = 0.2


class CrawlerConfig(Config):
    """Label that distinguishes runs, and the number of additional weights without effect."""

    label: str = "run"
    weights: int = 0


class Crawler(Method):
    """Slow linear map from colors to classes."""

    def __init__(self, config: CrawlerConfig, *, classes: int) -> None:
        super().__init__()
        self.label = config.label
        self.linear = nn.Conv2d(3, classes, 1)
        self.idle = nn.Parameter(torch.zeros(config.weights))
        self.count = classes

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the classes to score; they use the first channels."""
        self.count = len(names)

    def losses(self, batch: Batch) -> Losses:
        """Apply the requested behavior and return the cross-entropy."""
        _behave(_read_behavior(self.label))
        images = torch.stack([sample["image"] for sample in batch])
        labels = torch.stack([sample["sem_seg"] for sample in batch])
        loss = F.cross_entropy(self.scores(images), labels, reduction="sum", ignore_index=255)
        return {"loss": loss / labels.numel()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return sem_seg (K, H, W) for each image (3, H, W)."""
        return [{"sem_seg": self.scores(sample["image"])[: self.count]} for sample in batch]

    def scores(self, image: Tensor) -> Tensor:
        """Map images (..., 3, H, W) to scores (..., K, H, W)."""
        scores: Tensor = self.linear(image / 255)
        return scores


def _read_behavior(label: str) -> str:
    folder = os.environ.get(BEHAVIORS)
    if folder is None:
        return "rush"
    for path in (Path(folder, label), Path(folder, "all")):
        if path.exists():
            return path.read_text()
    return "crawl"


def _behave(behavior: str) -> None:
    if behavior == "crawl":
        time.sleep(CRAWL_S)
    elif behavior == "raise":
        raise ValueError("the test requested a failure")
    elif behavior == "blame the node":
        raise RuntimeError("CUDA error: uncorrectable ECC error encountered")
    elif behavior == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif behavior == "hog":
        torch.ones(2**30, dtype=torch.uint8).sum()


def build(config: CrawlerConfig, split: TrainSplit) -> Crawler:
    """Build the method with one weight per class and color channel."""
    return Crawler(config, classes=split.num_classes)


VARIANTS = {"Crawler": CrawlerConfig()}

RECIPE = Recipe(
    title="Crawler",
    paper="none",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=150, batch_size=2)},
)
