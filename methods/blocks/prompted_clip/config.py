"""Configs of a CLIP with learned prompts among its patches."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from benchmark.core.method import Config
from methods.blocks.pixel_statistics import PixelStatistics


class PromptsConfig(Config):
    """Learned tokens among the patches (deep visual prompt tuning, arXiv 2203.12119).

    Attributes:
        count: Number of prompts.
        depth: Number of first blocks that have prompts, new ones in each; None for all blocks.
        dropout: Share of prompt values that are dropped in training.
    """

    count: int = Field(default=10, ge=1, le=10_000)
    depth: int | None = Field(default=None, ge=1)
    dropout: float = Field(default=0.1, ge=0, lt=1)

    def check_depth(self, depth: int) -> None:
        """Check that an encoder has enough blocks.

        Args:
            depth: Number of blocks of the encoder.

        Raises:
            ValueError: More blocks are to have prompts than the encoder has.
        """
        if self.depth is not None and self.depth > depth:
            raise ValueError(f"prompts.depth={self.depth} is more than the {depth} blocks of the image encoder")


class PromptedClipConfig(Config):
    """Adaptation of CLIP's image encoder; the defaults are those of ZegCLIP's official code.

    Attributes:
        prompts: Learned prompts; None if there are none.
        weights: Whether CLIP's own weights stay frozen, or are trained, too.
        final_norm: Whether a trained norm precedes CLIP's own final norm.
        doubled_class_embedding: Whether the class token enters twice, as itself and as a part of its position.
        pixel_statistics: Mean and standard deviation of pixels: those of ImageNet, or those that CLIP was trained with.
    """

    prompts: PromptsConfig | None = PromptsConfig()
    weights: Literal["frozen", "trained"] = "frozen"
    final_norm: bool = True
    doubled_class_embedding: bool = True
    pixel_statistics: PixelStatistics = "ImageNet"
