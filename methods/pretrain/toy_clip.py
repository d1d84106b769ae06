"""Training of the toy CLIP, a small open_clip model, on toybox images and captions of all classes, without masks.

Three rules give the patch tokens of so small a model what web-scale training gives those of CLIP: the training sees a
quarter of the patches, which also makes it cheap (FLIP, arXiv 2212.00794); half of the views are windows of neighboring
patches; and in half of the steps the last block is reduced to its attention, so that its values name what they show.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import open_clip
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from benchmark.core.seeding import KeyedRandom, hash_rng_key
from benchmark.data.toybox.captions import draw_caption
from benchmark.data.toybox.scene import ToyScene, draw_portrait, draw_scene
from methods.blocks.clip.attention import Tail
from methods.blocks.clip.image_encoder import ClipImageEncoder
from methods.blocks.images import CLIP_MEAN, CLIP_STD, Normalize
from methods.pretrain.schedule import check_steps, scale_learning_rate
from methods.pretrain.views import draw_view

Report = Callable[[int, float], None]


@dataclass(frozen=True)
class ClipBudget:
    """Seed, data and length of the training of the toy CLIP.

    Attributes:
        seed: Seed of every random draw.
        scenes: Number of scenes.
        portraits: Number of images of a single class.
        steps: Number of steps.
        batch: Images per step.
        learning_rate: Largest learning rate.
        weight_decay: Weight decay.
        single_tags: Percentage of the captions that name one class of the view, drawn at random, instead of all.
        windows: Percentage of the views that are windows, see `views`.
        reduced_tails: Percentage of the steps in which the last block has no residual and no MLP.
    """

    seed: int = 0
    scenes: int = 24_000
    portraits: int = 8_000
    steps: int = 4_000
    batch: int = 128
    learning_rate: float = 1.5e-3
    weight_decay: float = 0.05
    single_tags: int = 20
    windows: int = 50
    reduced_tails: int = 50

    def shorten(self, steps: int | None) -> ClipBudget:
        """Return a budget of fewer steps and no more images than these see, for tests; None changes nothing.

        Raises:
            ValueError: There are more steps than in this budget.
        """
        if steps is None:
            return self
        images = check_steps(steps, most=self.steps) * self.batch
        return replace(self, steps=steps, scenes=min(self.scenes, images), portraits=min(self.portraits, images))


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
        batch = _draw_batch(images, labels, budget=budget, step=step)
        is_reduced = KeyedRandom("clip tail", budget.seed, step).draw_bool(budget.reduced_tails)
        loss = compute_contrastive_loss(
            encode_patches(
                model, normalize(batch.images), patches=batch.patches, tail="reduced" if is_reduced else "full"
            ),
            F.normalize(model.encode_text(tokens(batch.captions)), dim=-1),
            same=(batch.class_sets[:, None] == batch.class_sets[None, :]).float(),
            scale=model.logit_scale.exp().clamp(max=100),
        )
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        report(step, loss.item())
    model.eval()


def encode_patches(model: open_clip.CLIP, images: Tensor, *, patches: Tensor, tail: Tail) -> Tensor:
    """Encode images of which some patches are kept.

    Args:
        model: Model with a `VisionTransformer`.
        images: (B, 3, H, W) normalized.
        patches: (B, P) indices of the kept patches.
        tail: Tail of the last block.

    Returns:
        (B, D) unit vectors.
    """
    encoder = ClipImageEncoder(model.visual)
    tokens, _ = encoder.embed(images)
    kept = torch.cat([torch.zeros_like(patches[:, :1]), patches + 1], dim=1)  # the class token stays
    tokens = tokens.gather(1, kept.unsqueeze(2).expand(-1, -1, tokens.shape[2]))  # (B, 1 + P, C)
    return F.normalize(encoder.run_last_blocks(tokens, start=0, tail=tail)[:, 0], dim=-1)


@dataclass(frozen=True)
class _Batch:
    """Views with captions.

    Attributes:
        images: (B, 3, SIZE, SIZE) RGB in 0-255.
        patches: (B, P) indices of the kept patches.
        captions: Captions.
        class_sets: (B,) number of the set of classes that a caption names.
    """

    images: Tensor
    patches: Tensor
    captions: list[str]
    class_sets: Tensor


def _draw_batch(images: NDArray[np.uint8], labels: NDArray[np.uint8], *, budget: ClipBudget, step: int) -> _Batch:
    """Draw the views and captions of a step from images (N, SIZE, SIZE, 3) and labels (N, SIZE, SIZE)."""
    indices = KeyedRandom("clip batch", budget.seed, step).draw_integers(0, len(images), shape=(budget.batch,))
    views, captions, class_sets = [], [], []
    for slot, index in enumerate(indices):
        random = KeyedRandom("clip view", budget.seed, step, slot)
        view = draw_view(images[index], labels[index], windows=budget.windows, random=random)
        named = (random.pick(view.classes),) if random.draw_bool(budget.single_tags) else view.classes
        views.append(view)
        captions.append(draw_caption(random, named))
        class_sets.append(hash_rng_key(*sorted(named)) % 2**62)
    return _Batch(
        images=torch.stack([view.image for view in views]),
        patches=torch.from_numpy(np.stack([view.patches for view in views])),
        captions=captions,
        class_sets=torch.tensor(class_sets),
    )
