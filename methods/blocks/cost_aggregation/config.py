"""Configs of cost aggregation: the aggregator, its decoder, and the views of an image."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from benchmark.core.method import Config

GROUP = 16
"""Channels of the decoder that are normalized together."""

Channels = Annotated[int, Field(ge=1)]
"""Channels of a stage of the decoder."""


class SpatialConfig(Config):
    """Aggregation over positions, class by class: a pair of Swin blocks.

    Attributes:
        window: Side of an attention window in positions; at least the side of the grid for one window without shift.
    """

    window: int = Field(default=12, ge=1)


class ClassConfig(Config):
    """Aggregation over classes, position by position: linear attention.

    Attributes:
        pool: Side of the squares of positions that are averaged before the attention.
    """

    pool: int = Field(default=2, ge=1)


class AggregatorConfig(Config):
    """Layers that aggregate a cost volume. A part that is None is switched off.

    Attributes:
        width: Channels C of the embedded costs.
        layers: Number of layers; each aggregates over positions, then over classes.
        heads: Heads of both attentions.
        spatial: Aggregation over positions.
        classes: Aggregation over classes.
        image_guidance: Channels of the projected image features, which queries and keys over positions see.
        text_guidance: Channels of the projected class embeddings, which queries and keys over classes see.
        slots: Number of classes that are aggregated at once. Fewer classes are filled up with a learned token; of more
            classes, those with the highest costs are taken, and the others get the lowest score.
    """

    width: int = Field(default=128, ge=1)
    layers: int = Field(default=2, ge=0)
    heads: int = Field(default=4, ge=1)
    spatial: SpatialConfig | None = SpatialConfig()
    classes: ClassConfig | None = ClassConfig()
    image_guidance: int | None = Field(default=128, ge=1)
    text_guidance: int | None = Field(default=128, ge=1)
    slots: int = Field(default=256, ge=1)

    @model_validator(mode="after")
    def _check_heads_divide_width(self) -> Self:
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads} do not divide width={self.width}: each head has the same channels")
        return self

    def check_side(self, side: int) -> None:
        """Check that windows and pooled squares divide a grid of `side` x `side` positions.

        Raises:
            ValueError: One of them does not.
        """
        if self.spatial is not None and side > self.spatial.window and side % self.spatial.window:
            raise ValueError(
                f"windows of {self.spatial.window} do not divide a grid of {side}: set aggregator.spatial.window"
            )
        if self.classes is not None and side % self.classes.pool:
            raise ValueError(
                f"squares of {self.classes.pool} do not divide a grid of {side}: set aggregator.classes.pool"
            )


class CostDecoderConfig(Config):
    """Stages that double the resolution, each with features of a block of CLIP as guidance.

    Attributes:
        widths: Channels after each stage, multiples of 16 or less than 16.
        guidance: Channels of the guidance of each stage; None for a decoder without guidance.
        upsampled: Channels of the learned upsampling of CLIP's features in front of each guidance.
    """

    widths: tuple[Channels, ...] = Field(default=(64, 32), min_length=1)
    guidance: tuple[Channels, ...] | None = (32, 16)
    upsampled: tuple[Channels, ...] = (256, 128)

    @model_validator(mode="after")
    def _check_stages(self) -> Self:
        if any(width > GROUP and width % GROUP for width in self.widths):
            raise ValueError(f"decoder widths are {list(self.widths)}: give multiples of {GROUP}, the size of groups")
        sizes = {len(self.widths), len(self.upsampled), len(self.widths if self.guidance is None else self.guidance)}
        if len(sizes) > 1:
            raise ValueError("decoder widths, guidance and upsampled differ in number: give one of each for a stage")
        return self


class ViewsConfig(Config):
    """Views of an image at evaluation: overlapping windows of the resized image, and the whole image.

    Attributes:
        side: Height and width that the image is resized to, whatever its shape.
        window: Side of a window in pixels of the resized image.
        stride: Distance of windows in pixels of the resized image.
    """

    side: int = Field(default=640, ge=1)
    window: int = Field(default=384, ge=1)
    stride: int = Field(default=256, ge=1)

    @model_validator(mode="after")
    def _check_windows_cover_the_image(self) -> Self:
        if not self.stride <= self.window <= self.side:
            raise ValueError(
                f"stride={self.stride}, window={self.window}, side={self.side}: each must be at most the next"
            )
        return self
