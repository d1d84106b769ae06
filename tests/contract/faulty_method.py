"""A method that breaks one rule of the contract in each variant, and none in the first one."""

from __future__ import annotations

import importlib
import os
import random
import sys
import threading
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import benchmark
from benchmark.api import Batch, Budget, Config, Losses, Method, Prediction, Recipe, Supervision, TrainSplit, Traits

MAX_CLASSES = 64
CHANNELS: dict[int, Tensor] = {}


class FaultyConfig(Config):
    """The rule to break; "" for none."""

    fault: str = ""


class FaultyMethod(Method):
    """A linear map of colors with one fault."""

    def __init__(self, fault: str, *, constant: float = 0) -> None:
        super().__init__()
        self.fault, self.constant, self.num_losses = fault, constant, 0
        self.linear = nn.Conv2d(3, MAX_CLASSES, kernel_size=1)
        self.frozen = nn.Linear(1, 1).requires_grad_(False)
        if fault == "unused":
            self.unused = nn.Linear(1, 1)
        if fault == "frozen":
            self.requires_grad_(False)
        self.register_buffer("calls", torch.zeros(()))
        self.channels, self.last = torch.arange(MAX_CLASSES), torch.zeros(())

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary."""
        if self.fault == "leftover":
            self.last = self.last + 1
        chosen = sorted(names) if self.fault == "order" else names
        self.channels = torch.tensor([zlib.crc32(name.encode()) % MAX_CLASSES for name in chosen])
        if self.fault == "vocabulary":
            self.channels = torch.arange(MAX_CLASSES)
        if self.fault == "same length":
            self.channels = CHANNELS.setdefault(len(names), self.channels)

    def losses(self, batch: Batch) -> Losses:
        """Compute the cross-entropy of all images."""
        self._train_wrongly(batch)
        images, labels = torch.stack([s["image"] for s in batch]), torch.stack([s["sem_seg"] for s in batch])
        terms = F.cross_entropy(self.compute_logits(images), labels, ignore_index=255, reduction="none")
        if self.fault == "unlabeled":
            return {"loss": (terms.sum(dim=(1, 2)) / (labels != 255).sum(dim=(1, 2))).mean()}
        if self.fault == "one class":
            return {"loss": terms[(labels != 0) & (labels != 255)].mean()}
        loss = terms.sum() / (labels != 255).sum().clamp_min(1) + self.constant
        return self._return_wrongly(loss * self._draw_wrongly() + self.last * ("attribute" in self.fault))

    def initialize(self, batches: Iterable[Batch]) -> None:
        """Set nothing, unless the fault is to set a frozen weight."""
        if self.fault == "initialize":
            self.frozen.weight.fill_(2)
        if self.fault == "failing initialize":
            raise RuntimeError("nothing found")
        if self.fault == "initialized attribute":
            self.last = torch.ones(())

    def predict(self, batch: Batch) -> list[Prediction]:
        """Predict each image."""
        if self.fault == "in place":
            batch[0]["image"].add_(1)
        if self.fault == "gradients on":
            torch.set_grad_enabled(True)
        if self.fault == "seeded prediction":
            torch.manual_seed(0)
        if self.fault == "state":
            self.get_buffer("calls").add_(1)
        predictions = [self._predict(sample["image"], (sample["height"], sample["width"]), batch) for sample in batch]
        if self.fault == "remember":
            self.last = batch[0]["image"].mean()
        return predictions

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute logits: (..., 3, H, W) to (..., K, H, W)."""
        logits: Tensor = self.linear(images / 255)
        return logits.index_select(-3, self.channels)

    def _train_wrongly(self, batch: Batch) -> None:
        match self.fault:
            case "labels in place":
                batch[1]["sem_seg"][0, 0] = 255
            case "new key":
                batch[1]["file_name"] = ""
            case "exit":
                sys.exit("bye")
            case "late error":
                if self.step_context.progress > 0.9 and self.step_context.iterations > 10:
                    raise RuntimeError("only late")
            case "step":
                self.linear.weight.data.mul_(0.5)
            case "thaw":
                self.frozen.weight.mul_(2)
            case "own error":
                raise RuntimeError("my own bug")
            case "attribute":
                self.last = self.last + batch[0]["image"].mean()

    def _draw_wrongly(self) -> float:
        match self.fault:
            case "torch":
                return 1 + float(torch.rand(()))
            case "python":
                return 1 + random.random()
            case "seed":
                torch.manual_seed(0)
            case "no seed":
                return 1 + os.urandom(1)[0] / 255 + os.urandom(1)[0] / 251
            case "numpy":
                return 1 + float(np.random.rand())
        return 1.0

    def _return_wrongly(self, loss: Tensor) -> Losses:
        match self.fault:
            case "lazy parameter":
                self.lazy = nn.Parameter(torch.zeros(()))
                return {"loss": loss + self.lazy}
            case "late parameter":
                self.num_losses += 1
                if self.num_losses == 3:
                    self.lazy = nn.Parameter(torch.zeros(()))
            case "backward":
                loss.backward(retain_graph=True)
            case "vector":
                return {"loss": loss.expand(2)}
            case "detached":
                return {"loss": loss.detach()}
            case "nan":
                return {"loss": loss * torch.nan}
            case "none":
                return None  # type: ignore[return-value]
            case "no losses":
                return {}
        return {"loss": loss}

    def _predict(self, image: Tensor, size: tuple[int, int], batch: Batch) -> Prediction:
        logits = self.compute_logits(image)
        if self.fault == "neighbors":
            logits = logits * len(batch)
        if self.fault == "random":
            logits = logits + torch.rand(())
        if self.fault == "infinite":
            logits = logits - torch.inf
        if self.fault in ("remember", "leftover"):
            logits = logits + self.last
        scores = logits if self.fault == "size" else F.interpolate(logits[None], size=size)[0]
        return {"scores": scores} if self.fault == "no sem_seg" else {"sem_seg": scores}  # type: ignore[typeddict-item]


class WithForward(FaultyMethod):
    """A method that overrides `forward`."""

    def forward(self, batch: Batch) -> Losses | list[Prediction]:
        """Compute losses."""
        return self.losses(batch)


class WithTrain(FaultyMethod):
    """A method that overrides `train`."""

    def train(self, mode: bool = True) -> WithTrain:
        """Switch the modes of all modules."""
        nn.Module.train(self, mode)
        return self


def build(config: FaultyConfig, split: TrainSplit) -> FaultyMethod:
    """Build the method."""
    match config.fault:
        case "unseen":
            return FaultyMethod("", constant=len("".join(split.unseen)))
        case "split file":
            path = Path(benchmark.__file__).parents[1] / "splits" / f"{split.name}.yaml"
            return FaultyMethod("", constant=len(path.read_text()))
        case "load_split":
            loaded = importlib.import_module("benchmark.core.split").load_split(split.name)
            return FaultyMethod("", constant=len("".join(loaded.unseen)))
        case "forward":
            return WithForward("")
        case "train":
            return WithTrain("")
        case "other every time":
            return _shift(FaultyMethod(""), os.urandom(4)[0] + os.urandom(4)[1] / 251)
        case "lock":
            method = FaultyMethod("")
            method.lock = threading.Lock()
            return method
        case "no method":
            return None  # type: ignore[return-value]
    return FaultyMethod(config.fault)


def _shift(method: FaultyMethod, value: float) -> FaultyMethod:
    nn.init.constant_(method.linear.weight, value)
    return method


FAULTS = (
    *("failing initialize", "initialized attribute", "lazy parameter", "exit", "late error", "step", "seed", "no seed"),
    *("backward", "gradients on", "seeded prediction", "other every time", "one class", "order", "same length"),
    *("unseen", "split file", "load_split", "forward", "train", "no method", "own error"),
    *("vector", "detached", "nan", "none", "no losses", "unlabeled", "unused", "frozen", "thaw", "initialize"),
    *("attribute", "torch", "python", "numpy", "labels in place", "new key"),
    *("size", "infinite", "no sem_seg", "neighbors", "random", "state", "remember", "in place"),
    *("vocabulary", "leftover", "late parameter"),
)
VARIANTS = {"no fault": FaultyConfig(), "lock": FaultyConfig(fault="lock")} | {
    fault: FaultyConfig(fault=fault) for fault in FAULTS
}
RECIPE = Recipe(
    title="Faulty method",
    paper="",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants=VARIANTS,
    build=build,
    budgets={"*": Budget(iterations=20, init_images=2)},
)
