"""Training of the toy CLIP, a small open_clip model, on toybox images and captions of all classes, without masks."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.seeding import KeyedRandom, hash_rng_key
from benchmark.data.toybox.captions import draw_caption
from benchmark.data.toybox.scene import SIZE, ToyScene, draw_portrait, draw_scene, list_tags
from methods.blocks.images import CLIP_MEAN, CLIP_STD, Normalize
from methods.pretrain.images import resize_crop
from methods.pretrain.schedule import scale_learning_rate

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class ClipBudget:
    """Seed, data and length of the training of the toy CLIP."""

    seed: int = 0
    scenes: int = 16_000
    portraits: int = 8_000
    steps: int = 2_400
    batch: int = 128
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05


def _draw(kind: str, span: range) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw images (N, SIZE, SIZE, 3) and labels (N, SIZE, SIZE) of scenes or portraits."""
    draw: Callable[[str, int], ToyScene] = draw_portrait if kind == "portrait" else draw_scene
    views = [draw("clip", index) for index in span]
    return np.stack([view.image for view in views]), np.stack([view.labels for view in views])


def load_scenes(budget: ClipBudget, *, workers: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Draw all training images: scenes first, then portraits.

    Args:
        budget: Numbers of scenes and portraits.
        workers: Number of processes.

    Returns:
        Images (N, SIZE, SIZE, 3) and labels (N, SIZE, SIZE).
    """
    tasks = [
        (kind, range(start, min(start + 500, count)))
        for kind, count in (("scene", budget.scenes), ("portrait", budget.portraits))
        for start in range(0, count, 500)
    ]
    with ProcessPoolExecutor(workers) as pool:
        chunks = list(pool.map(_draw, *zip(*tasks, strict=True)))
    return np.concatenate([images for images, _ in chunks]), np.concatenate([labels for _, labels in chunks])


def _augment(
    image: NDArray[np.uint8], labels: NDArray[np.uint8], *, random: KeyedRandom
) -> tuple[Tensor, tuple[str, ...]]:
    """Crop an image (SIZE, SIZE, 3) at random, or keep all of it with probability 0.5.

    Returns:
        The view (3, SIZE, SIZE) and the classes in it.
    """
    side = SIZE if random.draw_bool(50) else random.draw_integer(20, SIZE)
    x, y = random.draw_integer(0, SIZE - side + 1), random.draw_integer(0, SIZE - side + 1)
    classes = list_tags(labels[y : y + side, x : x + side])
    if not classes:  # the crop shows only the backdrop of a portrait
        return resize_crop(image), list_tags(labels)
    image = image[y : y + side, x : x + side]
    return resize_crop(image[:, ::-1] if random.draw_bool(50) else image), classes


def compute_contrastive_loss(images: Tensor, texts: Tensor, *, same: Tensor, scale: Tensor) -> Tensor:
    """Compute CLIP's symmetric InfoNCE with all captions of the same classes as positives.

    This is the loss of UniCL (arXiv 2204.03610, eq. 3-4).

    Args:
        images: (B, D) unit vectors.
        texts: (B, D) unit vectors.
        same: (B, B), 1 if two captions name the same classes, else 0.
        scale: () inverse temperature.

    Returns:
        () loss.
    """
    logits = scale * images @ texts.T
    target = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def train_toy_clip(model: open_clip.CLIP, *, budget: ClipBudget, workers: int, report: Report) -> None:
    """Train an initialized model in place.

    Args:
        model: Model to train.
        budget: Seed, data and length of the training.
        workers: Number of processes that draw images.
        report: Called after each step with the step and the loss.
    """
    images, labels = load_scenes(budget, workers=workers)
    tokens = open_clip.SimpleTokenizer(context_length=model.context_length)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(scale_learning_rate, steps=budget.steps))
    normalize = Normalize(CLIP_MEAN, CLIP_STD)
    model.train()
    for step in range(budget.steps):
        indices = KeyedRandom("clip batch", budget.seed, step).draw_integers(0, len(images), shape=(budget.batch,))
        views, captions, class_sets = [], [], []
        for slot, index in enumerate(indices):
            random = KeyedRandom("clip view", budget.seed, step, slot)
            view, tags = _augment(images[index], labels[index], random=random)
            views.append(view)
            captions.append(draw_caption(random, tags))
            class_sets.append(hash_rng_key(*sorted(tags)) % 2**62)
        class_set = torch.tensor(class_sets)
        loss = compute_contrastive_loss(
            F.normalize(model.encode_image(normalize(torch.stack(views))), dim=-1),
            F.normalize(model.encode_text(tokens(captions)), dim=-1),
            same=(class_set[:, None] == class_set[None, :]).float(),
            scale=model.logit_scale.exp().clamp(max=100),
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        report(step, loss.item())
    model.eval()
