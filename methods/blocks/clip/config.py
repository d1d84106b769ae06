"""CLIP as open_clip builds it: loaded whole or refused, frozen, with its two towers taken apart.

Any open_clip model with a plain ViT, by name and tag, from the user's folder, the hub's cache, the hub
(`methods.blocks.clip.weights`) or a file. The toy model that ships is one more configuration (`toy-ViT-16`, weights `toy`);
see its model card. Here is what a method's config says; `methods.blocks.clip.loading` builds it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import model_validator

from benchmark.core.method import Config
from methods.blocks.file_digest import with_digest

Clip = Any
"""An `open_clip.CLIP`; its parts carry no types of their own."""

ASSETS = Path(__file__).resolve().parents[1] / "assets"
TOY_MODEL = "toy-ViT-16"
TOY_WEIGHTS = ASSETS / "toy_clip.safetensors"

RANDOM = "random"
"""Weights that nobody trained, the same in every run: for correctness runs where no real ones are at hand."""


class ClipConfig(Config):
    """Which CLIP.

    Attributes:
        model: an open_clip architecture; OpenAI's weights need the `-quickgelu` ones.
        weights: an open_clip tag, the path of a file (.safetensors, a state dict of torch.save, or OpenAI's archive),
            "toy" or "random". Files of tags are looked for in $CHIMERA_BENCH_WEIGHTS first.
        sha256: of a file given by path, filled in when the config is made.
    """

    model: str = "ViT-B-16-quickgelu"
    weights: str = "openai"
    sha256: str = ""

    @model_validator(mode="before")
    @classmethod
    def _content_is_named(cls, given: Any) -> Any:
        return with_digest(given, "weights")


def load_clip(config: ClipConfig) -> Clip:
    """Build the model, load its weights and freeze it.

    Raises:
        KeyError: open_clip has no such architecture.
        ValueError: the architecture has no plain ViT or no plain tokenizer; or the weights are unknown, out of reach,
            broken, of another architecture, or trained with the other activation function.
    """
    # not above: open_clip takes seconds to import, and a plan needs the config alone
    from methods.blocks.clip.loading import load

    return load(config)
