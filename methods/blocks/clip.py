"""CLIP as open_clip builds it: loaded whole or refused, frozen, with its two towers taken apart.

The toy model that ships is one more open_clip configuration (`toy-ViT-16`, weights `toy`); see its model card.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import open_clip
import torch
from safetensors import SafetensorError

from benchmark.method import Config
from benchmark.seeding import address
from benchmark.suggest import unknown_name

Clip = Any
"""An `open_clip.CLIP`; its parts carry no types of their own."""

ASSETS = Path(__file__).resolve().parent / "assets"
TOY_MODEL = "toy-ViT-16"
TOY_WEIGHTS = ASSETS / "toy_clip.safetensors"

RANDOM = "random"
"""Weights that nobody trained, the same in every run: for correctness runs where no real ones are at hand."""


class ClipConfig(Config):
    """Which CLIP.

    Attributes:
        model: an open_clip architecture; OpenAI's weights need the `-quickgelu` ones.
        weights: an open_clip tag, the path of a file, "toy" or "random".
    """

    model: str = "ViT-B-16-quickgelu"
    weights: str = "openai"


def load_clip(config: ClipConfig) -> Clip:
    """Build the model, load its weights and freeze it.

    Raises:
        KeyError: open_clip has no such architecture.
        ValueError: the weights are unknown, out of reach, or were trained with the other activation function.
    """
    open_clip.add_model_config(ASSETS / f"{TOY_MODEL}.json")
    if config.model not in open_clip.list_models():
        raise KeyError(unknown_name("open_clip model", config.model, open_clip.list_models()))
    model = _random(config.model) if config.weights == RANDOM else _pretrained(config)
    if not isinstance(model, open_clip.CLIP) or not hasattr(model.visual, "conv1"):
        raise ValueError(f"open_clip model {config.model!r} has no plain ViT image tower: choose one such as ViT-B-16")
    return model.eval().requires_grad_(False)


def _random(name: str) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(address("random clip", name) % 2**63)
        return open_clip.create_model(name, pretrained=None, load_weights=False)


def _pretrained(config: ClipConfig) -> Clip:
    source = str(TOY_WEIGHTS) if config.weights == "toy" else config.weights
    tags = open_clip.list_pretrained_tags_by_model(config.model)
    if source not in tags and not Path(source).is_file():
        hint = unknown_name(f"weights for {config.model}", config.weights, [*tags, "random"])
        raise ValueError(f"{hint}; or give the path of a file that exists")
    wanted = (open_clip.get_pretrained_cfg(config.model, source) or {}).get("quick_gelu")
    if wanted is not None and wanted != open_clip.get_model_config(config.model).get("quick_gelu", False):
        raise ValueError(
            f"weights {config.weights!r} and model {config.model!r} differ in their activation function: OpenAI's "
            f"weights need the name that ends in -quickgelu, most others the one without"
        )
    chatter = logging.getLogger().level
    logging.getLogger().setLevel(logging.CRITICAL)  # open_clip logs to the root; what matters is raised below
    try:
        return open_clip.create_model(config.model, pretrained=source)
    except (RuntimeError, OSError, SafetensorError) as error:
        line = str(error).splitlines()[0][:200]
        raise ValueError(
            f"cannot load weights {config.weights!r} of {config.model!r} ({line}); without a network, fetch the "
            f"file elsewhere and give its path as clip.weights"
        ) from error
    finally:
        logging.getLogger().setLevel(chatter)
