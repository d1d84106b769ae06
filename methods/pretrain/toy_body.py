"""Pre-training of the toy body as a classifier of forms, as ImageNet pre-training does for real bodies.

No form is a class of toybox, see `forms`, so the body has never seen a class that a split withholds.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmark.core.seeding import KeyedRandom
from benchmark.data.toybox.canvas import SIZE
from methods.pretrain.forms import NUM_FORMS, draw_form
from methods.pretrain.images import resize_crop
from methods.pretrain.schedule import check_steps, scale_learning_rate

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class BodyBudget:
    """Seed, data and length of the pre-training of the toy body."""

    seed: int = 0
    images: int = 16_000
    steps: int = 2_000
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.01

    def shorten(self, steps: int | None) -> BodyBudget:
        """Return a budget of fewer steps and no more images than these see, for tests; None changes nothing.

        Raises:
            ValueError: There are more steps than in this budget.
        """
        if steps is None:
            return self
        images = check_steps(steps, most=self.steps) * self.batch
        return replace(self, steps=steps, images=min(self.images, images))


def load_forms(subset: str, count: int, *, workers: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draw images of forms.

    Args:
        subset: Name that is part of the RNG key.
        count: Number N of images.
        workers: Number of processes.

    Returns:
        Images (N, SIZE, SIZE, 3) and numbers of the forms (N,).
    """
    with ProcessPoolExecutor(workers) as pool:
        images, forms = zip(*pool.map(partial(draw_form, subset), range(count), chunksize=250), strict=True)
    return np.stack(images), np.array(forms)


def _augment(image: NDArray[np.uint8], *, random: KeyedRandom) -> Tensor:
    """Crop an image (SIZE, SIZE, 3) slightly, flip it with probability 0.5 and resize it to (3, SIZE, SIZE)."""
    side = random.draw_integer(44, SIZE + 1)
    x, y = random.draw_integer(0, SIZE - side + 1), random.draw_integer(0, SIZE - side + 1)
    crop = image[y : y + side, x : x + side]
    return resize_crop(crop[:, ::-1] if random.draw_bool(50) else crop)


class FormClassifier(nn.Module):
    """A body and a linear classifier of its mean feature.

    Args:
        body: Module from images (B, 3, H, W) to features (B, channels, h, w).
        channels: Number of feature channels.
    """

    def __init__(self, body: nn.Module, *, channels: int) -> None:
        super().__init__()
        self.body, self.classify = body, nn.Linear(channels, NUM_FORMS)

    def forward(self, images: Tensor) -> Tensor:
        """Compute logits (B, NUM_FORMS) of images (B, 3, H, W), RGB in 0-255."""
        logits: Tensor = self.classify(self.body(images).mean(dim=(2, 3)))
        return logits


def train_toy_body(classifier: FormClassifier, *, budget: BodyBudget, workers: int, report: Report) -> None:
    """Train an initialized classifier in place.

    Args:
        classifier: Classifier to train.
        budget: Seed, data and length of the training.
        workers: Number of processes that draw images.
        report: Called after each step with the step and the loss.
    """
    images, forms = load_forms("body", budget.images, workers=workers)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(scale_learning_rate, steps=budget.steps))
    classifier.train()
    for step in range(budget.steps):
        indices = KeyedRandom("body batch", budget.seed, step).draw_integers(0, len(images), shape=(budget.batch,))
        views = [
            _augment(images[index], random=KeyedRandom("body view", budget.seed, step, slot))
            for slot, index in enumerate(indices)
        ]
        loss = F.cross_entropy(classifier(torch.stack(views)), torch.from_numpy(forms[indices]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        report(step, loss.item())
    classifier.eval()


@torch.no_grad()
def measure_form_accuracy(classifier: FormClassifier, *, count: int, workers: int) -> float:
    """Measure the accuracy on held-out images in percent.

    Args:
        classifier: Trained classifier.
        count: Number of images.
        workers: Number of processes that draw images.
    """
    classifier.eval()
    images, forms = load_forms("body test", count, workers=workers)
    predictions = torch.cat([classifier(resize_crop(image)[None]).argmax(dim=1) for image in images])
    return float((predictions == torch.from_numpy(forms)).float().mean() * 100)
