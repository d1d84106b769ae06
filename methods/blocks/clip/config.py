"""Configs of a CLIP model that open_clip can build; reading them does not import open_clip.

Supported is any open_clip model with a ViT, and CLIP's ResNets for methods that embed whole images or texts alone, see
methods/blocks/CLIP_TOWERS.md, by name and tag, with weights from the user's folder, the cache of the Hugging Face Hub,
the Hub itself (`methods.blocks.clip.weights`) or a file. The toy model that is included in the package is one more
configuration (`toy-ViT-8`, weights `toy`); see its model card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import model_validator

from benchmark.core.budget import Budget
from benchmark.core.method import Config
from methods.blocks.clip.plan_checks import check_clip, check_patches
from methods.blocks.file_digest import add_digest
from methods.blocks.network_names import name_clip

Clip = Any
"""An `open_clip.CLIP`, whose submodules have no type annotations."""


class AnyClipConfig(Config):
    """Architecture and weights of a CLIP model with any image encoder that is supported.

    For methods that embed whole images or texts alone; those that also use patches have a `ClipConfig`.

    Attributes:
        model: open_clip architecture; OpenAI's weights need one that ends in `-quickgelu`.
        weights: open_clip tag, path of a file (.safetensors, a state dict saved by torch.save, or OpenAI's archive),
            "toy" or "random". Files of tags are looked for in $CHIMERA_BENCH_WEIGHTS first.
        sha256: Digest of a file given by path; computed when the config is created.
    """

    file_fields: ClassVar[Mapping[str, str]] = {"weights": "sha256"}

    model: str = "ViT-B-16-quickgelu"
    weights: str = "openai"
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _add_digest(cls, fields: Any) -> Any:
        return add_digest(fields, "weights")

    def check_plan(self, budget: Budget) -> None:
        """Check that the architecture exists and that its weights are there or can be downloaded."""
        check_clip(self.model, self.weights)

    def describe_backbone(self) -> tuple[str, ...]:
        """Return the name of this CLIP, such as "CLIP ViT-B/16" or "MetaCLIP ViT-B/16 (metaclip_400m)"."""
        return (name_clip(self.model, self.weights, is_file=bool(self.sha256)),)


class ClipConfig(AnyClipConfig):
    """Architecture and weights of a CLIP model whose image encoder, a ViT, also embeds patches."""

    def check_plan(self, budget: Budget) -> None:
        """Check that the image encoder embeds patches, and everything else."""
        check_patches(self.model, needed_by="this method uses CLIP's embeddings of patches")
        super().check_plan(budget)
