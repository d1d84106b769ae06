"""Builds the CLIP that a config describes; this module imports open_clip.

Weights trained with QuickGELU and run with GELU, or vice versa, give features that look plausible but are wrong. A
mismatch is therefore an error whenever it can be detected: for every tag; for files that still have the name given by
open_clip's table or the Hub; and for OpenAI's archives under any name, by the extra numbers they contain. A renamed
state dict does not show its activation function, so the one of the configured model is assumed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import open_clip
import torch

from benchmark.core.seeding import hash_rng_key
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.input_files import record_input
from methods.blocks.clip.checkpoint import read_checkpoint
from methods.blocks.clip.config import ASSETS, RANDOM, TOY_MODEL, TOY_WEIGHTS, Clip, ClipConfig
from methods.blocks.clip.weights import SUFFIXES, Pretraining, find_weights, look_up_pretraining, recognize_weights
from methods.blocks.weight_files import load_tensors

QUICK_SUFFIX = "-quickgelu"
"""Suffix of open_clip's architectures with QuickGELU that also exist with GELU."""


def build_clip(config: ClipConfig) -> Clip:
    """Build a CLIP and load its weights; arguments and errors as in `methods.blocks.clip.load_clip`."""
    open_clip.add_model_config(ASSETS / f"{TOY_MODEL}.json")
    if config.model not in open_clip.list_models():
        raise KeyError(explain_unknown_name("open_clip model", config.model, open_clip.list_models()))
    _check_architecture(config.model)
    return _build_random(config.model) if config.weights == RANDOM else _build_pretrained(config)


def _check_architecture(name: str) -> None:
    """Refuse architectures that `ClipImageEncoder` or `ClipTextEncoder` would run incorrectly."""
    architecture = open_clip.get_model_config(name)
    image, text = architecture["vision_cfg"], architecture["text_cfg"]
    if "timm_model_name" in image or not isinstance(image.get("layers"), int) or architecture.get("custom_text"):
        raise ValueError(f"open_clip model {name!r} has no plain ViT image encoder: choose one such as ViT-B-16")
    unsupported = image.keys() & {
        "attentional_pool",
        "final_ln_after_pool",
        "no_ln_pre",
        "output_tokens",
        "pool_type",
        "pos_embed_type",
    }
    if unsupported:
        raise ValueError(
            f"the image encoder of open_clip model {name!r} is no plain ViT ({', '.join(sorted(unsupported))}): choose "
            "one such as ViT-B-16"
        )
    tokenizer = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if tokenizer:
        raise ValueError(f"open_clip model {name!r} has its own tokenizer, {tokenizer}: choose one with CLIP's")


def _build_random(name: str) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash_rng_key("random clip", name) % 2**63)
        return _build_without_weights(name)


def _build_pretrained(config: ClipConfig) -> Clip:
    file, pretraining = _locate_weights(config)
    if pretraining is not None:
        _check_activation(config, is_quick=pretraining.is_quick)
    checkpoint = read_checkpoint(file)
    record_input(file)
    if checkpoint.is_openai:
        _check_activation(config, is_quick=True)
    model = _build_without_weights(config.model)
    load_tensors(model, checkpoint.tensors, description=f"{file} and model {config.model!r}")
    if pretraining is not None:
        model.visual.image_mean, model.visual.image_std = pretraining.mean, pretraining.std
    return model


def _locate_weights(config: ClipConfig) -> tuple[Path, Pretraining | None]:
    """Return the weight file, and its pretraining if that is known."""
    if config.weights == "toy":
        return TOY_WEIGHTS, None
    pretraining = look_up_pretraining(config.model, config.weights)
    if pretraining is not None:
        _check_activation(config, is_quick=pretraining.is_quick)  # before anything is downloaded
        return find_weights(pretraining), pretraining
    file = Path(config.weights).expanduser()
    if not file.is_file():
        raise ValueError(_describe_unknown_weights(config))
    return file, recognize_weights(file)


def _check_activation(config: ClipConfig, *, is_quick: bool) -> None:
    if is_quick == _is_quick(config.model):
        return
    name = config.model.removesuffix(QUICK_SUFFIX) + (QUICK_SUFFIX if is_quick else "")
    advice = f"use the model {name!r}" if name in open_clip.list_models() else "choose another model"
    raise ValueError(
        f"weights {config.weights!r} and model {config.model!r} differ in their activation function: the weights were "
        f"trained with {'QuickGELU' if is_quick else 'GELU'}; {advice}"
    )


def _is_quick(model: str) -> bool:
    return bool(open_clip.get_model_config(model).get("quick_gelu"))


def _describe_unknown_weights(config: ClipConfig) -> str:
    sibling = (
        config.model.removesuffix(QUICK_SUFFIX) if config.model.endswith(QUICK_SUFFIX) else config.model + QUICK_SUFFIX
    )
    if look_up_pretraining(sibling, config.weights):
        return f"weights {config.weights!r} were trained with another activation function: they need model {sibling!r}"
    tags = open_clip.list_pretrained_tags_by_model(config.model)
    hint = explain_unknown_name(f"weights for {config.model}", config.weights, [*tags, RANDOM])
    if config.weights.endswith(SUFFIXES):
        return f"{hint}; no such file exists either"
    return f"{hint}; or give the path of an existing file"


def _build_without_weights(name: str) -> Clip:
    with _silence_logging():
        return open_clip.create_model(name, pretrained=None, load_weights=False)


@contextmanager
def _silence_logging() -> Iterator[None]:
    """Silence open_clip, which logs to the root logger and warns that no weights are loaded."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)
