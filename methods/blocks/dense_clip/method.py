"""The method of the dense CLIP family, and its recipe."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from benchmark.api import Batch, Budget, Losses, Method, Prediction, Recipe, TrainSplit, Traits
from methods.blocks.class_embeddings import TextBank, build_class_embeddings
from methods.blocks.clip import ClipImageEncoder, load_clip
from methods.blocks.dense_clip.build import build_scores
from methods.blocks.dense_clip.config import DenseClipConfig
from methods.blocks.dense_clip.scores import DenseScores
from methods.blocks.images import predict_each
from methods.blocks.refinement import PamrConfig, refine_by_color
from methods.blocks.toy import toy_presets


class DenseClip(Method):
    """A frozen CLIP that scores classes at every patch.

    Args:
        scores: Scores of classes at patches.
        text: Class embeddings.
        stride: Divisor of the height and width of images.
        refinement: Averaging of scores over neighboring pixels of a similar color; None for none.
    """

    def __init__(
        self, *, scores: DenseScores, text: TextBank, stride: int, refinement: PamrConfig | None = None
    ) -> None:
        super().__init__()
        self.scores, self.text, self.stride, self.refinement = scores, text, stride, refinement

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `predict`."""
        self.text.set_classes(names)

    def losses(self, batch: Batch) -> Losses:
        """Return no losses: nothing is trained."""
        return {}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Score the classes at the patches of each image."""
        return predict_each(self.compute_logits, batch, stride=self.stride)

    def compute_logits(self, images: Tensor) -> Tensor:
        """Compute scores: images (B, 3, H, W), RGB in 0-255, to (B, K, h, w), or (B, K, H, W) if refined."""
        scores: Tensor = self.scores(images, self.text())
        if self.refinement is None:
            return scores
        pixels = F.interpolate(scores, size=images.shape[2:], mode="bilinear", align_corners=False)
        rounds, dilations = self.refinement.rounds, self.refinement.dilations
        return refine_by_color(pixels, self.scores.normalize(images), rounds=rounds, dilations=dilations)


def build(config: DenseClipConfig, split: TrainSplit) -> DenseClip:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    encoder = ClipImageEncoder(clip.visual)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    scores = build_scores(config, encoder)
    text = TextBank(embeddings)
    return DenseClip(scores=scores, text=text, stride=encoder.patch_size, refinement=config.refinement)


def make_dense_clip_recipe(
    *,
    title: str,
    paper: str,
    traits: Traits,
    variants: Mapping[str, DenseClipConfig],
    toy: Mapping[str, Any] | None = None,
) -> Recipe[DenseClipConfig]:
    """Return the recipe of a member of the family.

    Args:
        title: Name in tables.
        paper: Citation.
        traits: Facts about the member.
        variants: Row label to config; the first one is the method itself.
        toy: Further overrides on toybox, by dotted key.
    """
    return Recipe(
        title=title,
        paper=paper,
        traits=traits,
        variants=variants,
        build=build,
        budgets={"*": Budget(iterations=0)},
        presets=toy_presets(body=False, settings=toy),
    )
