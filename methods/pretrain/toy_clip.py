"""Train the toy CLIP: a small open_clip model on toybox picture-caption pairs, all class names, no masks."""

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

from benchmark.core.seeding import KeyedRandom, address
from benchmark.data.toybox.captions import caption
from benchmark.data.toybox.scene import SIZE, Scene, portrait, scene, tags_of
from methods.blocks.images import CLIP_MEAN, CLIP_STD, Normalize
from methods.pretrain.images import resized
from methods.pretrain.schedule import warm_cosine

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class ClipBudget:
    """How long and on what the toy CLIP is trained."""

    seed: int = 0
    scenes: int = 16_000
    portraits: int = 8_000
    steps: int = 2_400
    batch: int = 128
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05


def _draw(kind: str, span: range) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    draw: Callable[[str, int], Scene] = portrait if kind == "portrait" else scene
    views = [draw("clip", index) for index in span]
    return np.stack([view.image for view in views]), np.stack([view.labels for view in views])


def load_world(budget: ClipBudget, *, workers: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """All pictures (N, SIZE, SIZE, 3) and labels (N, SIZE, SIZE) of a budget: scenes first, then portraits."""
    tasks = [
        (kind, range(start, min(start + 500, count)))
        for kind, count in (("scene", budget.scenes), ("portrait", budget.portraits))
        for start in range(0, count, 500)
    ]
    with ProcessPoolExecutor(workers) as pool:
        parts = list(pool.map(_draw, *zip(*tasks, strict=True)))
    return np.concatenate([images for images, _ in parts]), np.concatenate([labels for _, labels in parts])


def _view(image: NDArray[np.uint8], labels: NDArray[np.uint8], *, draws: KeyedRandom) -> tuple[Tensor, tuple[str, ...]]:
    """A random crop (the whole picture in one case of two) and the classes in it."""
    side = SIZE if draws.chance(50) else draws.integer(20, SIZE)
    x, y = draws.integer(0, SIZE - side + 1), draws.integer(0, SIZE - side + 1)
    shown = tags_of(labels[y : y + side, x : x + side])
    if not shown:  # the crop shows a portrait's backdrop alone
        return resized(image), tags_of(labels)
    image = image[y : y + side, x : x + side]
    return resized(image[:, ::-1] if draws.chance(50) else image), shown


def contrastive_loss(images: Tensor, texts: Tensor, *, same: Tensor, scale: Tensor) -> Tensor:
    """CLIP's symmetric InfoNCE where captions with the same tags are all positives (UniCL, arXiv 2204.03610, eq. 3-4).

    Args:
        images: (B, D) unit vectors.
        texts: (B, D) unit vectors.
        same: (B, B), 1 where two captions name the same classes.
        scale: () inverse temperature.
    """
    logits = scale * images @ texts.T
    target = same / same.sum(dim=1, keepdim=True)
    return (F.cross_entropy(logits, target) + F.cross_entropy(logits.T, target)) / 2


def train_toy_clip(model: open_clip.CLIP, *, budget: ClipBudget, workers: int, report: Report) -> None:
    """Train in place. `model` comes initialised; pictures and captions are drawn by address from `budget.seed`."""
    images, labels = load_world(budget, workers=workers)
    tokens = open_clip.SimpleTokenizer(context_length=model.context_length)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=budget.learning_rate, weight_decay=budget.weight_decay, betas=(0.9, 0.98)
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, partial(warm_cosine, steps=budget.steps))
    normalise = Normalize(CLIP_MEAN, CLIP_STD)
    model.train()
    for step in range(budget.steps):
        chosen = KeyedRandom("clip batch", budget.seed, step).integers(0, len(images), shape=(budget.batch,))
        views, captions, kinds = [], [], []
        for slot, index in enumerate(chosen):
            draws = KeyedRandom("clip view", budget.seed, step, slot)
            view, tags = _view(images[index], labels[index], draws=draws)
            views.append(view)
            captions.append(caption(draws, tags))
            kinds.append(address(*sorted(tags)) % 2**62)
        kind = torch.tensor(kinds)
        loss = contrastive_loss(
            F.normalize(model.encode_image(normalise(torch.stack(views))), dim=-1),
            F.normalize(model.encode_text(tokens(captions)), dim=-1),
            same=(kind[:, None] == kind[None, :]).float(),
            scale=model.logit_scale.exp().clamp(max=100),
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        report(step, loss.item())
    model.eval()
