"""Pre-train the toy body: name the one class in a portrait, as ImageNet pre-training does for real bodies.

Only classes that are seen in every toybox split are shown, so that neither the unseen classes of the tables nor the
ones that play them during tuning ever reach the body.
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
from benchmark.data.toybox.scene import SIZE, portrait
from methods.pretrain.images import resized
from methods.pretrain.schedule import warm_cosine

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class BodyBudget:
    """How long and on what the toy body is pre-trained."""

    seed: int = 0
    portraits: int = 4_000
    steps: int = 800
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01


def load_portraits(
    part: str, count: int, *, classes: tuple[str, ...], workers: int
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures (count, SIZE, SIZE, 3) and the number of the class in each (count,)."""
    with ProcessPoolExecutor(workers) as pool:
        views = list(pool.map(partial(portrait, part, classes=classes), range(count), chunksize=250))
    return np.stack([view.image for view in views]), np.array([classes.index(view.tags[0]) for view in views])


def _view(image: NDArray[np.uint8], *, draws: KeyedRandom) -> Tensor:
    """A slightly zoomed and perhaps mirrored portrait, near its native scale."""
    side = draws.integer(44, SIZE + 1)
    x, y = draws.integer(0, SIZE - side + 1), draws.integer(0, SIZE - side + 1)
    crop = image[y : y + side, x : x + side]
    return resized(crop[:, ::-1] if draws.chance(50) else crop)


class Namer(nn.Module):
    """A body and a linear classifier on its mean feature. body: (B, 3, H, W) to (B, channels, h, w)."""

    def __init__(self, body: nn.Module, *, channels: int, classes: int) -> None:
        super().__init__()
        self.body, self.classify = body, nn.Linear(channels, classes)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) RGB 0-255 to (B, classes)."""
        logits: Tensor = self.classify(self.body(images).mean(dim=(2, 3)))
        return logits


def train_toy_body(namer: Namer, *, classes: tuple[str, ...], budget: BodyBudget, workers: int, report: Report) -> None:
    """Train in place; `namer` comes initialised."""
    images, names = load_portraits("body", budget.portraits, classes=classes, workers=workers)
    optimizer = torch.optim.AdamW(namer.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(warm_cosine, steps=budget.steps))
    namer.train()
    for step in range(budget.steps):
        chosen = KeyedRandom("body batch", budget.seed, step).integers(0, len(images), shape=(budget.batch,))
        views = [_view(images[i], draws=KeyedRandom("body view", budget.seed, step, k)) for k, i in enumerate(chosen)]
        loss = F.cross_entropy(namer(torch.stack(views)), torch.from_numpy(names[chosen]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        report(step, loss.item())
    namer.eval()


@torch.no_grad()
def portrait_accuracy(namer: Namer, *, classes: tuple[str, ...], count: int, workers: int) -> float:
    """Percent of held-out portraits that are named right."""
    namer.eval()
    images, names = load_portraits("body test", count, classes=classes, workers=workers)
    guesses = torch.cat([namer(resized(image)[None]).argmax(dim=1) for image in images])
    return float((guesses == torch.from_numpy(names)).float().mean() * 100)
