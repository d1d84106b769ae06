"""Evaluation of the toy CLIP on scenes that it was not trained on."""

from __future__ import annotations

from collections.abc import Callable
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
from benchmark.data.toybox.crops import iterate_crops
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.scores import Scores, score
from methods.blocks.class_embeddings.text_encoder import encode_class_names
from methods.blocks.clip.config import Clip
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.images import CLIP_MEAN, CLIP_STD, Normalize
from methods.pretrain.images import resize_crop

SPLIT = "toybox"
NUM_CROPS = 1_500


@dataclass(frozen=True)
class ClipMetrics:
    """Metrics of the toy CLIP, in percent.

    Attributes:
        accuracy: Zero-shot accuracy on held-out single-class crops, by class.
        dense: Scores of the value path on the test subset, without training.
        chance: Scores of uniformly random labels on the same images.
    """

    accuracy: dict[str, float]
    dense: Scores
    chance: Scores

    def average_accuracy(self, names: tuple[str, ...]) -> float:
        """Return the mean accuracy over some classes."""
        return float(np.mean([self.accuracy[name] for name in names]))


def evaluate_clip(clip: Clip) -> ClipMetrics:
    """Evaluate a trained toy CLIP on held-out crops and on the test subset of toybox."""
    split = load_split(SPLIT)
    embeddings = encode_class_names(clip, split.classes, prompts=split.prompts)
    return ClipMetrics(
        accuracy=measure_crop_accuracy(clip, embeddings, split=split, count=NUM_CROPS),
        dense=_score_test_subset(lambda image: _compute_value_path(clip, image, embeddings), split=split),
        chance=_score_test_subset(_RandomScores(len(split.classes)), split=split),
    )


@torch.no_grad()
def measure_crop_accuracy(clip: Clip, embeddings: Tensor, *, split: Split, count: int) -> dict[str, float]:
    """Measure the zero-shot accuracy in percent by class on held-out single-class crops.

    Args:
        clip: A trained toy CLIP.
        embeddings: (K, D) class embeddings of the split.
        split: Split whose classes are distinguished.
        count: Number of crops.
    """
    normalize = Normalize(CLIP_MEAN, CLIP_STD)
    correct, total = np.zeros(len(split.classes)), np.zeros(len(split.classes))
    for crop, name in iterate_crops("clip test", count, classes=split.classes):
        image = F.normalize(clip.encode_image(normalize(resize_crop(crop)[None])), dim=-1)
        index = split.classes.index(name)
        correct[index] += int((image @ embeddings.T).argmax()) == index
        total[index] += 1
    return {name: 100 * correct[index] / total[index] for index, name in enumerate(split.classes)}


@torch.no_grad()
def _compute_value_path(clip: Clip, image: Tensor, embeddings: Tensor) -> Tensor:
    """Compute cosines of MaskCLIP's dense features with embeddings (K, D): image (3, H, W) to (K, H, W)."""
    encoder = ClipImageEncoder(clip.visual)
    tokens, grid = encoder.embed(Normalize(CLIP_MEAN, CLIP_STD)(image[None]))
    dense = F.normalize(encoder.run_last_blocks(tokens, start=0, attention="value")[:, 1:], dim=2)
    cosines = to_map(dense @ embeddings.T, grid)
    return F.interpolate(cosines, size=image.shape[1:], mode="bilinear", align_corners=False)[0]


class _RandomScores:
    """Independent random scores for every pixel of every image."""

    def __init__(self, num_classes: int) -> None:
        self._num_classes, self._num_images = num_classes, 0

    def __call__(self, image: Tensor) -> Tensor:
        """Draw scores (K, H, W) for an image (3, H, W)."""
        self._num_images += 1
        return torch.rand(self._num_classes, *image.shape[1:], generator=torch_generator("chance", self._num_images))


def _score_test_subset(predict: Callable[[Tensor], Tensor], *, split: Split) -> Scores:
    counter = Counter(split.classes, split.is_seen)
    for sample, target in EvalLoader(open_dataset(split.dataset), split, protocol=Protocol()):
        counter.update(predict(sample["image"]), target, image_id=sample["image_id"])
    return score(counter.compute(), "d2-main")
