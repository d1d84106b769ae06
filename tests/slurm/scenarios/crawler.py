"""A method for tests that takes its time: its runs crawl, or do what a test orders while they train.

It imports nothing of the tests, so that a study of it is planned once.
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
from benchmark.core.split import Split
from benchmark.core.types import Batch, Losses, Prediction

ORDERS = "CHIMERA_BENCH_TEST_ORDERS"
"""The variable that names a folder of orders: a file for a label, or one called "all". Without it, runs rush."""
CRAWL_S = 0.2


class CrawlerConfig(Config):
    """By its label a test tells a run from the others; it has some weights more that do nothing."""

    label: str = "run"
    weights: int = 0


class Crawler(Method):
    """Colours to classes, linear, and held up."""

    def __init__(self, config: CrawlerConfig, *, classes: int) -> None:
        super().__init__()
        self.label = config.label
        self.linear = nn.Conv2d(3, classes, 1)
        self.idle = nn.Parameter(torch.zeros(config.weights))
        self.count = classes

    def set_classes(self, names: Sequence[str]) -> None:
        """The first channels are theirs."""
        self.count = len(names)

    def losses(self, batch: Batch) -> Losses:
        """Cross-entropy, once the order is obeyed."""
        _obey(_order(self.label))
        images = torch.stack([sample["image"] for sample in batch])
        labels = torch.stack([sample["sem_seg"] for sample in batch])
        loss = F.cross_entropy(self.scores(images), labels, reduction="sum", ignore_index=255)
        return {"loss": loss / labels.numel()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Scores at full size."""
        return [{"sem_seg": self.scores(sample["image"])[: self.count]} for sample in batch]

    def scores(self, image: Tensor) -> Tensor:
        """(..., 3, H, W) to (..., K, H, W)."""
        scores: Tensor = self.linear(image / 255)
        return scores


def _order(label: str) -> str:
    folder = os.environ.get(ORDERS)
    if folder is None:
        return "rush"
    for path in (Path(folder, label), Path(folder, "all")):
        if path.exists():
            return path.read_text()
    return "crawl"


def _obey(order: str) -> None:
    if order == "crawl":
        time.sleep(CRAWL_S)
    elif order == "raise":
        raise ValueError("the loss was told to fail")
    elif order == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    elif order == "hog":
        torch.ones(2**30, dtype=torch.uint8).sum()


def build(config: CrawlerConfig, split: Split) -> Crawler:
    """One weight a class and colour."""
    return Crawler(config, classes=len(split.classes))


VARIANTS = {"Crawler": CrawlerConfig()}

RECIPE = Recipe(
    title="Crawler",
    paper="none",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=150, batch_size=2)},
)
