"""Evaluation of the toy CLIP on images that it was not trained on.

The metrics judge the dataset and its teacher, for all classes alike; no method and no split is chosen by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.protocol import Protocol
from benchmark.core.seeding import torch_generator
from benchmark.core.split import Split, load_split
from benchmark.data.catalog import open_dataset
from benchmark.data.loader import EvalLoader
from benchmark.data.toybox.scene import draw_portrait
from benchmark.data.toybox.things import THINGS
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import score
from methods.blocks.class_embeddings.text_encoder import encode_class_names
from methods.blocks.clip.attention import Attention, Tail
from methods.blocks.clip.config import Clip
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.images import CLIP_MEAN, CLIP_STD, Normalize
from methods.pretrain.images import resize_crop

SPLIT = "toybox"
NUM_DRAWS = 12
NUM_PORTRAITS = 1_600

DENSE: Mapping[str, tuple[Attention, Tail]] = {
    "CLIP patches as they are": ("vanilla", "full"),
    "MaskCLIP": ("value", "full"),
    "vanilla attention, reduced tail": ("vanilla", "reduced"),
    "reduced tail": ("value", "reduced"),
    "query-query attention, reduced tail": ("query-query", "reduced"),
    "key-key attention, reduced tail": ("key-key", "reduced"),
}
"""Attention and tail of CLIP's last block, by the name of the variant of `maskclip`."""


@dataclass(frozen=True)
class DenseMetrics:
    """Scores of dense labels without training on the test subset, in percent.

    Attributes:
        iou: IoU by class.
        hiou: Mean hIoU over draws of unseen classes.
        unseen_things: Mean IoU of the unseen things over the same draws.
    """

    iou: Mapping[str, float]
    hiou: float
    unseen_things: float

    def average(self, names: tuple[str, ...]) -> float:
        """Return the mean IoU over some classes."""
        return float(np.mean([self.iou[name] for name in names]))


@dataclass(frozen=True)
class ClipMetrics:
    """Metrics of the toy CLIP, in percent.

    Attributes:
        accuracy: Zero-shot accuracy on held-out portraits, by class.
        ranking: Share of pairs of a scene with and one without a class that the CLS token ranks correctly, by class.
        dense: Scores by attention and tail of the last block, as in `DENSE`.
        chance: Scores of uniformly random labels on the same images.
    """

    accuracy: Mapping[str, float]
    ranking: Mapping[str, float]
    dense: Mapping[str, DenseMetrics]
    chance: DenseMetrics


@torch.no_grad()
def evaluate_clip(clip: Clip) -> ClipMetrics:
    """Evaluate a trained toy CLIP on held-out portraits and on the test subset of toybox."""
    split = load_split(SPLIT)
    embeddings = encode_class_names(clip, split.classes, prompts=split.prompts)
    images, targets = _read_test_subset(split)
    encoder = ClipImageEncoder(clip.visual)
    return ClipMetrics(
        accuracy=measure_portrait_accuracy(clip, embeddings, split=split),
        ranking=measure_ranking(clip, embeddings, images=images, targets=targets, split=split),
        dense={
            name: _score_dense(
                compute_cosines(encoder, images, embeddings, attention=attention, tail=tail), targets, split=split
            )
            for name, (attention, tail) in DENSE.items()
        },
        chance=_score_dense(
            torch.rand(len(images), len(split.classes), *images.shape[2:], generator=torch_generator("chance")),
            targets,
            split=split,
        ),
    )


def measure_portrait_accuracy(clip: Clip, embeddings: Tensor, *, split: Split) -> dict[str, float]:
    """Measure the zero-shot accuracy in percent by class on held-out portraits.

    Args:
        clip: A trained toy CLIP.
        embeddings: (K, D) class embeddings of the split.
        split: Split whose classes are distinguished.
    """
    views = [draw_portrait("clip test", index, classes=split.classes) for index in range(NUM_PORTRAITS)]
    labels = np.array([split.classes.index(view.tags[0]) for view in views])
    cosines = _compare_images(clip, torch.stack([resize_crop(view.image) for view in views]), embeddings)
    correct = cosines.argmax(dim=1).numpy() == labels
    return {name: 100 * float(correct[labels == index].mean()) for index, name in enumerate(split.classes)}


def measure_ranking(
    clip: Clip, embeddings: Tensor, *, images: Tensor, targets: Tensor, split: Split
) -> dict[str, float]:
    """Measure how often the CLS token is nearer to a class in a scene that shows it, in percent of pairs by class.

    Args:
        clip: A trained toy CLIP.
        embeddings: (K, D) class embeddings of the split.
        images: (N, 3, H, W) RGB in 0-255.
        targets: (N, H, W) labels. A scene shows a class that covers at least 1/64 of it; scenes with less are left out.
        split: Split of the classes.
    """
    cosines = _compare_images(clip, images, embeddings)
    ranking = {}
    for index, name in enumerate(split.classes):
        share = (targets == index).float().mean(dim=(1, 2))
        present, absent = cosines[share >= 1 / 64, index], cosines[share == 0, index]
        ranking[name] = 100 * float((present[:, None] > absent[None]).float().mean())
    return ranking


def compute_cosines(
    encoder: ClipImageEncoder, images: Tensor, embeddings: Tensor, *, attention: Attention, tail: Tail
) -> Tensor:
    """Compute cosines of dense features with class embeddings, without training.

    Args:
        encoder: Image encoder of the toy CLIP.
        images: (N, 3, H, W) RGB in 0-255.
        embeddings: (K, D) unit vectors.
        attention: Attention of the last block.
        tail: Tail of the last block.

    Returns:
        (N, K, H, W).
    """
    tokens, grid = encoder.embed(Normalize(CLIP_MEAN, CLIP_STD)(images))
    dense = encoder.run_last_blocks(tokens, start=0, attention=attention, tail=tail)[:, 1:]
    cosines = to_map(F.normalize(dense, dim=2) @ embeddings.T, grid)
    return F.interpolate(cosines, size=images.shape[2:], mode="bilinear", align_corners=False)


def _compare_images(clip: Clip, images: Tensor, embeddings: Tensor) -> Tensor:
    """Compute cosines of CLS tokens with class embeddings: (N, 3, H, W) and (K, D) to (N, K)."""
    tokens = F.normalize(clip.encode_image(Normalize(CLIP_MEAN, CLIP_STD)(images)), dim=-1)
    return tokens @ embeddings.T


def _read_test_subset(split: Split) -> tuple[Tensor, Tensor]:
    """Return images (N, 3, H, W) and labels (N, H, W) of the test subset."""
    pairs = list(EvalLoader(open_dataset(split.dataset), split, protocol=Protocol()))
    return torch.stack([sample["image"] for sample, _ in pairs]).float(), torch.stack([target for _, target in pairs])


def _score_dense(cosines: Tensor, targets: Tensor, *, split: Split) -> DenseMetrics:
    """Score logits (N, K, H, W) against targets (N, H, W)."""
    iou = np.array(score(_count(cosines, targets, split=split), "d2-main").iou)
    draws = [
        np.array(load_split(f"{SPLIT}@stuff3+things3-s0-{number:02d}").is_seen, dtype=bool)
        for number in range(NUM_DRAWS)
    ]
    means = [(iou[seen].mean(), iou[~seen].mean()) for seen in draws]
    is_thing = np.array([name in THINGS for name in split.classes])
    return DenseMetrics(
        iou=dict(zip(split.classes, iou.tolist(), strict=True)),
        hiou=float(np.mean([2 * seen * unseen / (seen + unseen) for seen, unseen in means])),
        unseen_things=float(np.mean([iou[~seen & is_thing].mean() for seen in draws])),
    )


def _count(cosines: Tensor, targets: Tensor, *, split: Split) -> Counts:
    counter = Counter(split.classes, split.is_seen)
    for number, (logits, target) in enumerate(zip(cosines, targets, strict=True)):
        counter.update(logits, target, image_id=f"{number:06d}")
    return counter.compute()
