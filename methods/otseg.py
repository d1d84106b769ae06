"""OTSeg (Kim et al., ECCV 2024, arXiv 2403.14183): ZegCLIP with several texts for a class and optimal transport.

Idea: a class has several texts, and optimal transport divides the patches of an image among them, so that each text can
stand for another part. The plan scores the patches directly, and it is the attention of a decoder; both paths are
trained, and their mean is the prediction.

Official code: cubeyoung/OTSeg (no license file), commit 0801051. Probabilities and losses are those of the official
code, of both paths. Sinkhorn's iterations multiply scales where it adds logarithms, which gives the same plan.

Differences: those of `methods/zegclip.py`. Prompts and texts are those of PASCAL VOC: 10 prompts and 6 texts;
COCO-Stuff has 100 prompts, and it and PASCAL Context have two more texts, "a photo of large {}." and "a background of
a {}.". The texts of a class are its aliases in these templates, not in those of the split; class embeddings from a file
count as one text.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from benchmark.api import Budget, Recipe, Supervision, TrainSplit, Traits
from methods.blocks import (
    ClipImageEncoder,
    FileEmbeddings,
    TextBank,
    build_class_embeddings,
    load_clip,
    mask_decoder,
    to_map,
    toy_presets,
)
from methods.blocks.prompted_clip import (
    MaskHead,
    PromptedClip,
    PromptedFeatures,
    PromptedSegmenter,
    PromptedSegmenterConfig,
    build_mask_objective,
    convert_prompted_clip,
    make_decoder_rules,
)
from methods.blocks.transport_decoder import (
    TemplateTexts,
    TransportConfig,
    TransportDecoder,
    TransportDecoderConfig,
    check_templates,
    score_transport,
)

TEMPLATES = (
    "a photo of a {}.",
    "a portrait of a {}.",
    "a part of a {}.",
    "a segment of a {}.",
    "a photo of small {}.",
    "a photo of medium {}.",
)
"""Texts of a class on PASCAL VOC."""


class OtSegConfig(PromptedSegmenterConfig):
    """Settings of OTSeg.

    Attributes:
        templates: Texts of a class.
        transport: Optimal transport of the path without decoder; None to leave this path out.
        decoder: Queries and decoder, with the optimal transport of its attention.
    """

    templates: tuple[str, ...] = Field(default=TEMPLATES, min_length=1)
    transport: TransportConfig | None = TransportConfig()
    decoder: TransportDecoderConfig = TransportDecoderConfig()

    @model_validator(mode="after")
    def _check_templates(self) -> Self:
        check_templates(self.templates)
        return self


class OtSegHead(MaskHead):
    """Relationship descriptor, and the two paths from its queries to masks.

    Args:
        dimension: Length D of an embedding.
        config: Queries, decoder and transport.
    """

    def __init__(self, dimension: int, config: OtSegConfig) -> None:
        super().__init__()
        self.transport = config.transport
        self.queries = mask_decoder.ClassQueries(dimension, format=config.decoder.queries)
        self.decoder = TransportDecoder(dimension, config.decoder)
        mask_decoder.initialize_head(self)

    def forward(
        self, features: PromptedFeatures, text: Tensor, generator: torch.Generator | None
    ) -> Mapping[str, Tensor]:
        """Compute the logits of masks of both paths, (B, K, h, w) each; text is (K, T, D), or (K, D) for T = 1."""
        text = text[:, None] if text.ndim == 2 else text
        queries = self.queries(features.image, text)  # (B, K, T, D)
        paths = {"": self.decoder(queries, features.patches, generator)}
        if self.transport is not None:
            paths["_transport"], _ = score_transport(features.patches, queries, self.transport)
        return {path: to_map(masks.transpose(1, 2), features.grid) for path, masks in paths.items()}


def build(config: OtSegConfig, split: TrainSplit) -> PromptedSegmenter:
    """Build the parts that a config describes."""
    clip = load_clip(config.clip)
    encoder = ClipImageEncoder(clip.visual)
    text: TextBank | TemplateTexts = TemplateTexts(clip, config.clip, split.prompts, config.templates)
    if isinstance(config.class_embeddings, FileEmbeddings):
        table = build_class_embeddings(config.class_embeddings, clip_config=config.clip, split=split, clip=clip)
        text = TextBank(table)
    return PromptedSegmenter(
        encoder=PromptedClip(encoder, config.encoder),
        text=text,
        head=OtSegHead(encoder.embed_dim, config),
        objective=build_mask_objective(config.loss),
    )


def convert_official(official: Mapping[str, Tensor], method: PromptedSegmenter) -> dict[str, Tensor]:
    """Translate the names of an official checkpoint.

    Raises:
        ValueError: A name is unknown or missing, or the checkpoint was trained from another CLIP.
    """
    rules = (
        (r"decode_head\.q_proj\.(weight|bias)", r"head.queries.project.\1"),
        *make_decoder_rules(r"decode_head\.decoder_1", "head.decoder", layers=3),
    )
    return convert_prompted_clip(official, method, head_rules=rules, source="a checkpoint of OTSeg")


VARIANTS: dict[str, OtSegConfig] = {
    "OTSeg": OtSegConfig(),
    "decoder alone": OtSegConfig(transport=None),
    "softmax in the decoder": OtSegConfig(decoder=TransportDecoderConfig(transport=None)),
    "one text": OtSegConfig(templates=TEMPLATES[:1]),
}

RECIPE = Recipe(
    title="OTSeg",
    paper="arXiv 2403.14183",
    traits=Traits(supervision=Supervision.SEEN_MASKS, cost="CLIP with prompts once"),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=8e-3),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=2e-4, warmup=0.075, clip_norm=1e6),
    },
    presets=toy_presets(body=False, settings={"loss.focal": 20.0}),  # chosen on `toybox_tune`
    convert_official=convert_official,
    official_model="OTSeg",
)
