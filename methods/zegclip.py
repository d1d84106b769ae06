"""ZegCLIP (Zhou et al., CVPR 2023, arXiv 2212.03588): masks of classes from a prompted CLIP in one stage.

Idea: a frozen CLIP with learned prompts in every block embeds patches and image. What a class embedding and the image
have in common is the query of a small decoder, whose attention to the patches is the mask of the class. Each class has
a loss of its own, so that unseen classes do not compete with seen ones.

Official code: ZiqinZhou66/ZegCLIP (MIT), commit 9ba4bb5. Probabilities and losses are those of the official code, also
where it differs from the paper: a trained norm precedes CLIP's own final norm; the class token enters twice; pixels are
normalized as ImageNet's; unlabeled pixels, and the padding of crops, are negatives of every class; the drop-path of the
configuration is never applied. Self-training (the paper's "transductive") is a protocol of this benchmark, and the
calibration of 0.1 is left to the evaluation. A split without unseen classes gives the fully supervised setting.

Differences:
- Weights that influence nothing are not built: the self-attention of the decoder, and what follows the attention of its
  last layer. The published 13.8M trained parameters count both.
- Optimizer: the official rate is 2e-5, and ten times that for everything that is trained, so one rate is the same.
  The benchmark's schedule is a cosine, where the official one is a polynomial (power 0.9); and it has no weight decay
  for vectors.
- Positions are resized once to the grid of an image, where the official code resizes them to that of 512 x 512 pixels
  first; windows of 512 x 512 get the same.
- Prompts: 10 as on PASCAL VOC; COCO-Stuff has 100 (`encoder.prompts.count`).
- The ablation is ours in detail: cross-entropy alone replaces the non-exclusive loss, and queries of class embeddings
  alone the relationship descriptor.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from benchmark.api import Budget, Recipe, Supervision, TrainSplit, Traits
from methods.blocks import TextBank, to_map, toy_presets
from methods.blocks.mask_decoder import ClassQueries, MaskDecoder, MaskDecoderConfig, initialize_head
from methods.blocks.prompted_clip import (
    MaskHead,
    MaskSegmenterConfig,
    PromptedClip,
    PromptedClipConfig,
    PromptedFeatures,
    PromptedSegmenter,
    PromptsConfig,
    SoftmaxConfig,
    build_encoder_and_embeddings,
    build_mask_objective,
    convert_prompted_clip,
    make_decoder_rules,
)


class ZegClipConfig(MaskSegmenterConfig):
    """Settings of ZegCLIP, those of its family."""


class ZegClipHead(MaskHead):
    """Relationship descriptor and decoder.

    Args:
        dimension: Length D of an embedding.
        config: Queries and decoder.
    """

    def __init__(self, dimension: int, config: MaskDecoderConfig) -> None:
        super().__init__()
        self.queries = ClassQueries(dimension, format=config.queries)
        self.decoder = MaskDecoder(dimension, config)
        initialize_head(self)

    def forward(
        self, features: PromptedFeatures, text: Tensor, generator: torch.Generator | None
    ) -> Mapping[str, Tensor]:
        """Compute the logits of masks, (B, K, h, w); see `MaskHead`."""
        masks = self.decoder(self.queries(features.image, text), features.patches, generator)
        return {"": to_map(masks.transpose(1, 2), features.grid)}


def build(config: ZegClipConfig, split: TrainSplit) -> PromptedSegmenter:
    """Build the parts that a config describes."""
    encoder, embeddings = build_encoder_and_embeddings(config, split)
    return PromptedSegmenter(
        encoder=PromptedClip(encoder, config.encoder),
        text=TextBank(embeddings),
        head=ZegClipHead(encoder.embed_dim, config.decoder),
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
    return convert_prompted_clip(official, method, head_rules=rules, source="a checkpoint of ZegCLIP")


NO_PROMPTS = PromptedClipConfig(prompts=None, final_norm=False)
NO_DESCRIPTOR = MaskDecoderConfig(queries="text")

VARIANTS: dict[str, ZegClipConfig] = {
    "ZegCLIP": ZegClipConfig(),
    "frozen CLIP, cross-entropy, no descriptor": ZegClipConfig(
        encoder=NO_PROMPTS, decoder=NO_DESCRIPTOR, loss=SoftmaxConfig()
    ),
    "trained CLIP, cross-entropy, no descriptor": ZegClipConfig(
        encoder=NO_PROMPTS.model_copy(update={"weights": "trained"}), decoder=NO_DESCRIPTOR, loss=SoftmaxConfig()
    ),
    "prompts, cross-entropy, no descriptor": ZegClipConfig(decoder=NO_DESCRIPTOR, loss=SoftmaxConfig()),
    "no descriptor": ZegClipConfig(decoder=NO_DESCRIPTOR),
    "descriptor of products alone": ZegClipConfig(decoder=MaskDecoderConfig(queries="product")),
    "descriptor of differences": ZegClipConfig(decoder=MaskDecoderConfig(queries="difference, text")),
    "prompts in the first block alone": ZegClipConfig(encoder=PromptedClipConfig(prompts=PromptsConfig(depth=1))),
}

RECIPE = Recipe(
    title="ZegCLIP",
    paper="arXiv 2212.03588",
    traits=Traits(supervision=Supervision.SEEN_MASKS, cost="CLIP with prompts once"),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=2e-4, warmup=0.075, clip_norm=1e6),
    },
    presets=toy_presets(body=False),
    convert_official=convert_official,
    official_model="ZegCLIP",
)
