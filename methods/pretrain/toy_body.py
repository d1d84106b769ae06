"""Pre-training of the toy body as a classifier of portraits, as ImageNet pre-training does for real bodies.

The portraits show only classes that are seen in every toybox split, so the body never sees an unseen class of the
tables or a class that is held out during tuning.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.scene import SIZE, draw_portrait
from methods.pretrain.images import resize_crop
from methods.pretrain.schedule import scale_learning_rate

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class BodyBudget:
    """Seed, data and length of the pre-training of the toy body."""

    seed: int = 0
    portraits: int = 4_000
    steps: int = 800
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01


def load_portraits(
    subset: str, count: int, *, classes: tuple[str, ...], workers: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw portraits of single classes.

    Args:
        subset: Name that is part of the RNG key.
        count: Number N of portraits.
        classes: Classes to draw.
        workers: Number of processes.

    Returns:
        Images (N, SIZE, SIZE, 3) and class indices (N,).
    """
    with ProcessPoolExecutor(workers) as pool:
        views = list(pool.map(partial(draw_portrait, subset, classes=classes), range(count), chunksize=250))
    return np.stack([view.image for view in views]), np.array([classes.index(view.tags[0]) for view in views])


def _augment(image: NDArray[np.uint8], *, random: KeyedRandom) -> Tensor:
    """Crop a portrait (SIZE, SIZE, 3) slightly, flip it with probability 0.5 and resize it to (3, SIZE, SIZE)."""
    side = random.draw_integer(44, SIZE + 1)
    x, y = random.draw_integer(0, SIZE - side + 1), random.draw_integer(0, SIZE - side + 1)
    crop = image[y : y + side, x : x + side]
    return resize_crop(crop[:, ::-1] if random.draw_bool(50) else crop)


class PortraitClassifier(nn.Module):
    """A body and a linear classifier of its mean feature.

    Args:
        body: Module from images (B, 3, H, W) to features (B, channels, h, w).
        channels: Number of feature channels.
        num_classes: Number K of classes.
    """

    def __init__(self, body: nn.Module, *, channels: int, num_classes: int) -> None:
        super().__init__()
        self.body, self.classify = body, nn.Linear(channels, num_classes)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, K) of images (B, 3, H, W), RGB in 0-255."""
        logits: Tensor = self.classify(self.body(images).mean(dim=(2, 3)))
        return logits


def train_toy_body(
    classifier: PortraitClassifier, *, classes: tuple[str, ...], budget: BodyBudget, workers: int, report: Report
) -> None:
    """Train an initialized classifier in place.

    Args:
        classifier: Classifier to train.
        classes: Classes of the portraits.
        budget: Seed, data and length of the training.
        workers: Number of processes that draw portraits.
        report: Called after each step with the step and the loss.
    """
    images, labels = load_portraits("body", budget.portraits, classes=classes, workers=workers)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(scale_learning_rate, steps=budget.steps))
    classifier.train()
    for step in range(budget.steps):
        indices = KeyedRandom("body batch", budget.seed, step).draw_integers(0, len(images), shape=(budget.batch,))
        views = [
            _augment(images[index], random=KeyedRandom("body view", budget.seed, step, slot))
            for slot, index in enumerate(indices)
        ]
        loss = F.cross_entropy(classifier(torch.stack(views)), torch.from_numpy(labels[indices]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        report(step, loss.item())
    classifier.eval()


@torch.no_grad()
def measure_portrait_accuracy(
    classifier: PortraitClassifier, *, classes: tuple[str, ...], count: int, workers: int
) -> float:
    """Measure the accuracy on held-out portraits in percent.

    Args:
        classifier: Trained classifier.
        classes: Classes of the portraits.
        count: Number of portraits.
        workers: Number of processes that draw portraits.
    """
    classifier.eval()
    images, labels = load_portraits("body test", count, classes=classes, workers=workers)
    predictions = torch.cat([classifier(resize_crop(image)[None]).argmax(dim=1) for image in images])
    return float((predictions == torch.from_numpy(labels)).float().mean() * 100)
