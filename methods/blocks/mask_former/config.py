"""Configs of MaskFormer: pyramid, pixel decoder and transformer decoder."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import torch
from pydantic import Field, model_validator
from torch import nn

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from methods.blocks.bodies.imagenet import check_imagenet_weights
from methods.blocks.bodies.smp_body import TOY_BODY
from methods.blocks.clip.assets import TOY
from methods.blocks.file_digest import add_digest
from methods.blocks.mask_former.encoders import build_encoder
from methods.blocks.network_names import name_encoder
from methods.blocks.weight_files import compare_shapes, find_problem_of_file, read_shapes

Value = TypeVar("Value")


class PyramidConfig(Config):
    """Encoder of a feature pyramid: the last `levels` stages of an encoder, each of which halves the resolution.

    Attributes:
        encoder: Encoder name of segmentation-models-pytorch ("resnet50") or timm ("tu-resnet101s", which is the R101c
            of Detectron2 with its DeepLab stem).
        weights: "imagenet" (downloaded by segmentation-models-pytorch), "toy" (the encoder of the toy body, from which
            all methods with a trained body start), the path of a weight file, or None for random weights.
        depth: Number of encoder stages.
        levels: Number of stages that are used; masks have the resolution of the first of them.
        multi_grid: Dilations of the blocks of the last stage: (1, 2, 4) in Detectron2's R101c, empty for no change.
        batch_norm: Batch norms with their pretrained statistics and weights, as in Detectron2, or trained ones.
        sha256: Digest of a file given by path; computed when the config is created.
    """

    file_fields: ClassVar[Mapping[str, str]] = {"weights": "sha256"}

    encoder: str = "resnet50"
    weights: str | None = "imagenet"
    depth: int = Field(default=5, ge=1)
    levels: int = Field(default=4, ge=1)
    multi_grid: tuple[Annotated[int, Field(ge=1)], ...] = ()
    batch_norm: Literal["frozen", "trained"] = "frozen"
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _add_digest(cls, fields: Any) -> Any:
        return add_digest(fields, "weights")

    def check_plan(self, budget: Budget) -> None:
        """Check that the encoder can be built, and that its weights exist and fit.

        Raises:
            ValueError: The encoder cannot be built, or weights are missing or belong to another one.
        """
        _check_encoder(self)

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the name of the encoder, such as "ResNet-50"."""
        return (name_encoder(self.encoder, self.weights, is_file=bool(self.sha256)),)

    def build_encoder(self) -> nn.Module:
        """Build the encoder; weights of a file are not read.

        Raises:
            ValueError: There is no such encoder, it has fewer stages or blocks, or its weights cannot be fetched.
        """
        return build_encoder(
            self.encoder, weights=self.weights, depth=self.depth, levels=self.levels, multi_grid=self.multi_grid
        )


class MaskFormerConfig(Config):
    """Sizes of a MaskFormer; the defaults are the published ones (arXiv 2107.06278), as zsseg and DeOP use them.

    Attributes:
        pyramid: Encoder of the feature pyramid.
        pixel_channels: Channels of the pixel decoder.
        mask_channels: Channels of the per-pixel features and of the mask embeddings.
        width: Width of the transformer decoder and of the query embeddings.
        queries: Number Q of queries.
        layers: Number L of decoder layers.
        heads: Number of heads of their attentions.
        hidden: Width of the hidden layer of their MLPs.
        dropout: Dropout rate of attentions and MLPs.
    """

    pyramid: PyramidConfig = PyramidConfig()
    pixel_channels: int = Field(default=256, ge=1)
    mask_channels: int = Field(default=256, ge=1)
    width: int = Field(default=256, ge=1)
    queries: int = Field(default=100, ge=1)
    layers: int = Field(default=6, ge=1)
    heads: int = Field(default=8, ge=1)
    hidden: int = Field(default=2048, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the name of the segmenter, such as "ResNet-50 MaskFormer"."""
        return tuple(f"{encoder} MaskFormer" for encoder in self.pyramid.describe_backbone())

    def check_plan(self, budget: Budget) -> None:
        """Check the pyramid and that the sizes can be divided.

        Raises:
            ValueError: The heads do not divide the width, or the pixel channels have no 32 equal groups.
        """
        super().check_plan(budget)
        if self.width % self.heads or self.width % 4:
            raise ValueError(
                f"heads={self.heads} and 4 must divide width={self.width} of MaskFormer: change one of them"
            )
        if self.pixel_channels % 32:
            raise ValueError(
                f"pixel_channels={self.pixel_channels} of MaskFormer are normalized in 32 groups: give a multiple of 32"
            )


@lru_cache(maxsize=64)
def _check_encoder(config: PyramidConfig) -> None:
    """Build an encoder without memory for its tensors, and compare it with the weights."""
    with torch.device("meta"):
        encoder = config.model_copy(update={"weights": None}).build_encoder()
    if config.weights is None:
        return
    if config.weights == "imagenet":
        check_imagenet_weights(config.encoder, setting="segmenter.pyramid.weights")
        return
    file = TOY_BODY if config.weights == TOY else Path(config.weights).expanduser()
    problem = find_problem_of_file(file)
    if problem:
        raise ValueError(f"segmenter.pyramid.weights: {file}: {problem}; or set imagenet, or null for random weights")
    found = select_encoder(read_shapes(file))
    problem = compare_shapes(found, {name: tuple(value.shape) for name, value in encoder.state_dict().items()})
    if problem:
        raise ValueError(f"segmenter.pyramid.weights: {file} and encoder {config.encoder!r} {problem}")


def select_encoder(tensors: Mapping[str, Value]) -> dict[str, Value]:
    """Return the tensors of an encoder in a weight file: those after "encoder." in a body's file, else all of them."""
    parts = {name.removeprefix("encoder."): value for name, value in tensors.items() if name.startswith("encoder.")}
    return parts or dict(tensors)
