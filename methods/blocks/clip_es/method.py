"""The method CLIP-ES, and its recipes by supervision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.api import Batch, Budget, Losses, Method, Prediction, Recipe, Sample, TrainSplit, Traits
from benchmark.core.split import BACKGROUND
from methods.blocks.class_embeddings import TextBank, build_class_embeddings
from methods.blocks.clip import ClipImageEncoder, load_clip
from methods.blocks.clip_es.class_maps import ClassMaps
from methods.blocks.clip_es.config import ClipEsConfig, ImageTagsConfig, TagsConfig, VotedTagsConfig
from methods.blocks.clip_es.tags import AllTags, ImageTags, TaggedImage, TagSource, VotedTags
from methods.blocks.images import predict_each
from methods.blocks.refinement import DenseCrfConfig, refine_by_dense_crf
from methods.blocks.toy import toy_presets

UNTAGGED = -1.0
"""Score of classes without a tag; scores of the others are in 0-1."""


class ClipEs(Method):
    """Activation maps of a frozen CLIP as scores.

    Args:
        class_maps: Maps of tagged classes.
        text: Class embeddings.
        tag_source: Source of the classes that get a map.
        background: Words that compete with them.
        is_weighted: Whether each map is multiplied by the probability of its class.
        crf: Fully connected CRF on the pixels; None for none.
    """

    def __init__(
        self,
        *,
        class_maps: ClassMaps,
        text: TextBank,
        tag_source: TagSource,
        background: Sequence[str],
        is_weighted: bool,
        crf: DenseCrfConfig | None,
    ) -> None:
        super().__init__()
        self.class_maps, self.text, self.tag_source = class_maps, text, tag_source
        self.background, self.is_weighted, self.crf = background, is_weighted, crf
        self.names: tuple[str, ...] = ()

    def set_classes(self, names: Sequence[str]) -> None:
        """Set the vocabulary of the next calls of `predict`; background words that it contains do not compete."""
        self.names = tuple(names)
        self.text.set_classes([*names, *(word for word in self.background if word not in names)])

    def losses(self, batch: Batch) -> Losses:
        """Return no losses: nothing is trained."""
        return {}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Compute the maps of the tagged classes of each image."""
        stride = self.class_maps.encoder.patch_size
        compute = self.compute_scores
        return [
            prediction
            for sample in batch
            for prediction in predict_each(partial(compute, sample=sample), [sample], stride=stride)
        ]

    def compute_scores(self, images: Tensor, *, sample: Sample) -> Tensor:
        """Compute scores: one image (1, 3, H, W), RGB in 0-255, to (1, K, h, w), or (1, K, H, W) after a CRF."""
        image, vectors, num_classes = self.class_maps.encode(images), self.text(), len(self.names)
        tagged = self.tag_source(TaggedImage(sample, self.names, image.tokens, image.grid, vectors[:num_classes]))
        tagged = tagged[[self.names[index] != BACKGROUND for index in tagged.tolist()]]
        candidates = torch.cat([vectors[tagged], vectors[num_classes:]])
        classes = torch.arange(len(tagged), device=tagged.device)
        maps, probabilities = self.class_maps(image, candidates, classes=classes)
        if self.is_weighted:
            maps = maps * probabilities[:, None, None]
        if BACKGROUND in self.names:
            maps = torch.cat([maps, 1 - maps.amax(dim=0, keepdim=True) if len(maps) else maps.new_ones(1, *image.grid)])
            tagged = torch.cat([tagged, tagged.new_tensor([self.names.index(BACKGROUND)])])
        if self.crf is not None and len(maps):
            pixels = F.interpolate(maps[None], size=images.shape[2:], mode="bilinear", align_corners=False)[0]
            maps = refine_by_dense_crf(pixels, images[0], config=self.crf)
        scores: Tensor = maps.new_full((1, num_classes, *maps.shape[1:]), UNTAGGED)
        scores[0, tagged] = maps
        return scores


def build(config: ClipEsConfig, split: TrainSplit) -> ClipEs:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    encoder = ClipImageEncoder(clip.visual)
    embeddings = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
    affinity = config.affinity
    class_maps = ClassMaps(
        encoder,
        objective=config.objective,
        num_blocks=affinity.blocks if affinity is not None else 0,
        threshold=affinity.threshold if affinity is not None else 0.0,
        borders=affinity.borders if affinity is not None else "code",
        interpolation=config.interpolation,
        temperature=config.temperature,
    )
    return ClipEs(
        class_maps=class_maps,
        text=TextBank(embeddings),
        tag_source=_build_tag_source(config.tags, encoder),
        background=config.background,
        is_weighted=config.weighting == "probability",
        crf=config.crf,
    )


def make_clip_es_recipe(
    *, title: str, traits: Traits, variants: Mapping[str, ClipEsConfig], toy: Mapping[str, Any] | None = None
) -> Recipe[ClipEsConfig]:
    """Return the recipe of CLIP-ES with one kind of supervision.

    Args:
        title: Name in tables.
        traits: Facts about it; the supervision is none if no variant uses the tags of the image.
        variants: Row label to config; the first one is the method itself.
        toy: Further overrides on toybox, by dotted key.
    """
    return Recipe(
        title=title,
        paper="arXiv 2212.09506",
        traits=traits,
        variants=variants,
        build=build,
        budgets={"*": Budget(iterations=0)},
        presets=toy_presets(body=False, settings=toy),
    )


def _build_tag_source(config: TagsConfig, encoder: ClipImageEncoder) -> TagSource:
    if isinstance(config, ImageTagsConfig):
        return ImageTags()
    return VotedTags(encoder, share=config.share) if isinstance(config, VotedTagsConfig) else AllTags()
