"""Cascade-CLIP (Li et al., ICML 2024, arXiv 2406.00670): ZegCLIP with decoders for the middle of CLIP, too.

Idea: the blocks of CLIP before the last one see details that it no longer has, but their tokens do not fit the decoder
of the last one. So the blocks are grouped into stages, each with a decoder of its own, and the masks are added.

Official code: HVision-NKU/Cascade-CLIP (README: CC BY-NC), commit dadf40d. Probabilities and losses are those of the
official code. Inside a stage, the embeddings of blocks are added with learned weights, which start at a Gaussian of the
distance to the last block of the stage. As in that code, and not as a reader expects, the maps from tokens of middle
blocks to embeddings are random and never trained: its rule for what is trained ("prompt" in the name) leaves them out,
and the published 40.5M trained parameters agree. They are buffers here, so that checkpoints have them;
`projection` replaces them by CLIP's own, or trains them.

Differences: those of `methods/zegclip.py`, and prompts: 10 as on PASCAL VOC; PASCAL Context has 35, COCO-Stuff 50.
Blocks are given in twelfths of the depth, so that they are those of the paper in ViT-B.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from benchmark.api import Budget, Recipe, Supervision, TrainSplit, Traits
from methods.blocks import ClipImageEncoder, TextBank, to_map, toy_presets
from methods.blocks.mask_decoder import ClassQueries, MaskDecoder, initialize_head
from methods.blocks.prompted_clip import (
    MaskHead,
    MaskSegmenterConfig,
    PromptedClip,
    PromptedFeatures,
    PromptedSegmenter,
    build_encoder_and_embeddings,
    build_mask_objective,
    convert_prompted_clip,
    make_decoder_rules,
)

TWELFTHS = 12
"""Number of parts of the depth in which blocks are given; the depth of ViT-B."""

StageBlocks = Annotated[tuple[Annotated[int, Field(ge=1, le=TWELFTHS)], ...], Field(min_length=1)]
"""Blocks of a stage in twelfths of the depth, from 1, the last one at the end."""


class CascadeClipConfig(MaskSegmenterConfig):
    """Settings of Cascade-CLIP.

    Attributes:
        stages: Blocks of each stage; each stage has a decoder.
        aggregation: Weights of the blocks of a stage: learned, from a Gaussian at the start, or 1.
        sigma: Standard deviation of the Gaussian, in blocks.
        projection: Map from tokens of a middle block to embeddings: random and frozen, the norm and projection of
            CLIP's last block, or one that is trained from a random start.
    """

    stages: Annotated[tuple[StageBlocks, ...], Field(min_length=1)] = ((6, 7, 8), (9, 10, 11), (12,))
    aggregation: Literal["Gaussian", "sum"] = "Gaussian"
    sigma: float = Field(default=1.0, gt=0)
    projection: Literal["random", "CLIP", "trained"] = "random"

    def list_indices(self, depth: int) -> list[list[int]]:
        """Return the indices of the blocks of each stage in an encoder, without repetition."""
        return [list(dict.fromkeys(max(1, block * depth // TWELFTHS) - 1 for block in stage)) for stage in self.stages]


class TokenProjection(nn.Module):
    """A norm and a linear map from tokens to embeddings, random at the start.

    Args:
        width: Length C of a token.
        dimension: Length D of an embedding.
        is_trained: Whether both are trained; otherwise they are buffers.
    """

    def __init__(self, width: int, dimension: int, *, is_trained: bool) -> None:
        super().__init__()
        values = {"weight": torch.ones(width), "bias": torch.zeros(width), "matrix": torch.randn(width, dimension)}
        values["matrix"] *= width**-0.5
        for name, value in values.items():
            if is_trained:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    weight: Tensor
    bias: Tensor
    matrix: Tensor

    def forward(self, tokens: Tensor) -> Tensor:
        """Project tokens, (B, N, C) to (B, N, D)."""
        return F.layer_norm(tokens, self.weight.shape, self.weight, self.bias) @ self.matrix


class ClipProjection(nn.Module):
    """The norm and projection that CLIP applies after its last block.

    Args:
        encoder: CLIP's image encoder.
    """

    def __init__(self, encoder: ClipImageEncoder) -> None:
        super().__init__()
        self._tower = encoder.tower  # no module, so that the weights have one name

    def forward(self, tokens: Tensor) -> Tensor:
        """Project tokens, (B, N, C) to (B, N, D)."""
        return self._tower.project(self._tower.normalize(tokens))


class Stage(nn.Module):
    """Embeddings of the blocks of a stage, weighted and added, and a decoder.

    Args:
        blocks: Indices of the blocks.
        encoder: CLIP's image encoder.
        config: Weights, projection, queries and decoder.
    """

    def __init__(self, blocks: Sequence[int], encoder: ClipImageEncoder, config: CascadeClipConfig) -> None:
        super().__init__()
        self.blocks, self._last, dimension = blocks, encoder.depth - 1, encoder.embed_dim
        self.projections = nn.ModuleDict(
            {str(block): _make_projection(encoder, config) for block in blocks if block != self._last}
        )
        self.weights = None
        if config.aggregation == "Gaussian" and list(blocks) != [self._last]:
            distances = torch.arange(len(blocks) - 1, -1, -1) / config.sigma
            self.weights = nn.Parameter(torch.exp(-(distances**2) / 2))
        self.queries = ClassQueries(dimension, format=config.decoder.queries)
        self.decoder = MaskDecoder(dimension, config.decoder)

    def forward(self, features: PromptedFeatures, text: Tensor, generator: torch.Generator | None) -> Tensor:
        """Compute the logits of masks, (B, K, N)."""
        embeddings = torch.stack([self._embed(features, block) for block in self.blocks])  # (blocks, B, N, D)
        weights = embeddings.new_ones(len(self.blocks)) if self.weights is None else self.weights
        patches = torch.einsum("l,lbnd->bnd", weights, embeddings)
        masks: Tensor = self.decoder(self.queries(features.image, text), patches, generator)
        return masks

    def _embed(self, features: PromptedFeatures, block: int) -> Tensor:
        """Return unit vectors (B, N, D) of the patches after a block."""
        if block == self._last:
            return features.patches
        return F.normalize(self.projections[str(block)](features.inner[block]), dim=2)


class CascadeClipHead(MaskHead):
    """Stages, whose masks are added.

    Args:
        encoder: CLIP's image encoder.
        config: Stages.
    """

    def __init__(self, encoder: ClipImageEncoder, config: CascadeClipConfig) -> None:
        super().__init__()
        stages = config.list_indices(encoder.depth)
        self.stages = nn.ModuleList(Stage(blocks, encoder, config) for blocks in stages)
        initialize_head(self)

    def forward(
        self, features: PromptedFeatures, text: Tensor, generator: torch.Generator | None
    ) -> Mapping[str, Tensor]:
        """Compute the logits of masks, (B, K, h, w); see `MaskHead`."""
        masks = torch.stack([stage(features, text, generator) for stage in self.stages]).sum(dim=0)
        return {"": to_map(masks.transpose(1, 2), features.grid)}


def _make_projection(encoder: ClipImageEncoder, config: CascadeClipConfig) -> nn.Module:
    """Build the projection of a middle block."""
    if config.projection == "CLIP":
        return ClipProjection(encoder)
    return TokenProjection(encoder.width, encoder.embed_dim, is_trained=config.projection == "trained")


def build(config: CascadeClipConfig, split: TrainSplit) -> PromptedSegmenter:
    """Build the parts that a config describes."""
    encoder, embeddings = build_encoder_and_embeddings(config, split)
    kept = {block for stage in config.list_indices(encoder.depth) for block in stage}
    return PromptedSegmenter(
        encoder=PromptedClip(encoder, config.encoder, keep=kept),
        text=TextBank(embeddings),
        head=CascadeClipHead(encoder, config),
        objective=build_mask_objective(config.loss),
    )


def convert_official(official: Mapping[str, Tensor], method: PromptedSegmenter) -> dict[str, Tensor]:
    """Translate the names of an official checkpoint, which has stages of three, three and one block.

    Raises:
        ValueError: A name is unknown or missing, or the checkpoint was trained from another CLIP.
    """
    rules: list[tuple[str, str | None]] = [
        (r"decode_head\.q_projs\.(\d+)\.(weight|bias)", r"head.stages.\1.queries.project.\2"),
        (r"decode_head\.weights_s1", "head.stages.0.weights"),
        (r"decode_head\.weights_s2", "head.stages.1.weights"),
        (r"backbone\.proj_layers", "backbone.proj_layers"),
    ]
    projections = [f"head.stages.{number // 3}.projections.{number + 5}" for number in range(6)]
    for number, name in enumerate(projections):
        rules.append((rf"backbone\.ln_layers\.{number}\.(weight|bias)", rf"{name}.\1"))
    for stage in range(3):
        name = rf"decode_head\.cascade_decoders\.{stage}"
        rules += make_decoder_rules(name, f"head.stages.{stage}.decoder", layers=3)
    source = "a checkpoint of Cascade-CLIP"
    tensors = convert_prompted_clip(official, method, head_rules=rules, source=source)
    matrices = tensors.pop("backbone.proj_layers")
    if matrices.shape[:1] != (len(projections),):
        raise ValueError(f"backbone.proj_layers is {tuple(matrices.shape)}, expected {len(projections)} matrices")
    return tensors | {f"{name}.matrix": matrix for name, matrix in zip(projections, matrices, strict=True)}


VARIANTS: dict[str, CascadeClipConfig] = {
    "Cascade-CLIP": CascadeClipConfig(),
    "one stage": CascadeClipConfig(stages=((12,),)),
    "two stages": CascadeClipConfig(stages=((9, 10, 11), (12,))),
    "four stages": CascadeClipConfig(stages=((6, 7), (8, 9), (10, 11), (12,))),
    "blocks of a stage added": CascadeClipConfig(aggregation="sum"),
    "projection of CLIP": CascadeClipConfig(projection="CLIP"),
    "trained projections": CascadeClipConfig(projection="trained"),
}

RECIPE = Recipe(
    title="Cascade-CLIP",
    paper="arXiv 2406.00670",
    traits=Traits(supervision=Supervision.SEEN_MASKS, cost="CLIP with prompts once"),
    variants=VARIANTS,
    build=build,
    budgets={
        "toybox": Budget(iterations=600, batch_size=16, learning_rate=2e-3),
        "*": Budget(iterations=20_000, batch_size=16, learning_rate=2e-4, warmup=0.075, clip_norm=1e6),
    },
    presets=toy_presets(body=False),
    convert_official=convert_official,
    official_model="CascadeCLIP",
)
