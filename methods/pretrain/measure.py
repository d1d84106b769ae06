"""What the toy models can do, measured on scenes that they were not trained on."""

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
from benchmark.data.toybox.crops import single_class_crops
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.scores import Scores, score
from methods.blocks.class_embeddings.text_bank import encode_names
from methods.blocks.clip.config import Clip
from methods.blocks.clip.image_encoder import ClipImageEncoder, to_map
from methods.blocks.images import CLIP_MEAN, CLIP_STD, Normalize
from methods.pretrain.images import resized

SPLIT = "toybox"
CROPS = 1_500


@dataclass(frozen=True)
class ClipFigures:
    """Measured figures of the toy CLIP, in percent.

    Attributes:
        accuracy: zero-shot accuracy on held-out single-class crops, by class.
        dense: scores of its value path on the test part, training-free.
        chance: scores of uniformly random labels on the same pictures.
    """

    accuracy: dict[str, float]
    dense: Scores
    chance: Scores

    def accuracy_over(self, names: tuple[str, ...]) -> float:
        """Mean accuracy over some classes."""
        return float(np.mean([self.accuracy[name] for name in names]))


def measure_clip(clip: Clip) -> ClipFigures:
    """Measure a trained toy CLIP on held-out crops and on the test part of the toybox."""
    split = load_split(SPLIT)
    texts = encode_names(clip, split.classes, prompts=split.prompts)
    return ClipFigures(
        accuracy=crop_accuracy(clip, texts, split=split, count=CROPS),
        dense=_score_test_part(lambda image: _value_path(clip, image, texts), split=split),
        chance=_score_test_part(_Guess(len(split.classes)), split=split),
    )


@torch.no_grad()
def crop_accuracy(clip: Clip, texts: Tensor, *, split: Split, count: int) -> dict[str, float]:
    """Zero-shot accuracy in percent by class, over `count` held-out single-class crops.

    Args:
        texts: (K, D) unit text vectors of the split's classes.
    """
    normalise = Normalize(CLIP_MEAN, CLIP_STD)
    right, total = np.zeros(len(split.classes)), np.zeros(len(split.classes))
    for crop, name in single_class_crops("clip test", count, classes=split.classes):
        guess = int((F.normalize(clip.encode_image(normalise(resized(crop)[None])), dim=-1) @ texts.T).argmax())
        index = split.classes.index(name)
        right[index] += guess == index
        total[index] += 1
    return {name: 100 * right[index] / total[index] for index, name in enumerate(split.classes)}


@torch.no_grad()
def _value_path(clip: Clip, image: Tensor, texts: Tensor) -> Tensor:
    """Cosines of MaskCLIP's dense vectors with the names: (3, H, W) to (K, H, W)."""
    trunk = ClipImageEncoder(clip.visual)
    tokens, grid = trunk.embed(Normalize(CLIP_MEAN, CLIP_STD)(image[None]))
    dense = F.normalize(trunk.finish(tokens, start=0, attention="value")[:, 1:], dim=2)
    scores = F.interpolate(to_map(dense @ texts.T, grid), size=image.shape[1:], mode="bilinear", align_corners=False)
    return scores[0]


class _Guess:
    """Scores drawn at random, pixel by pixel, other ones for every picture."""

    def __init__(self, classes: int) -> None:
        self._classes, self._seen = classes, 0

    def __call__(self, image: Tensor) -> Tensor:
        self._seen += 1
        return torch.rand(self._classes, *image.shape[1:], generator=torch_generator("chance", self._seen))


def _score_test_part(predict: Callable[[Tensor], Tensor], *, split: Split) -> Scores:
    counter = Counter(split.classes, split.is_seen)
    for sample, truth in EvalLoader(open_dataset(split.dataset), split, protocol=Protocol()):
        counter.update(predict(sample["image"]), truth, image_id=sample["image_id"])
    return score(counter.counts(), "d2-main")
