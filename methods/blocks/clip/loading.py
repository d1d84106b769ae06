"""Builds the CLIP that a config names.

Weights that were trained with QuickGELU and run with GELU, or the other way round, give features that look sound and
are not. So a difference is an error wherever it can be known: for every tag; for files under a name that open_clip's
table or the hub gave them; and for OpenAI's own archives under any name, by the numbers they carry. What a renamed
state dict was trained with cannot be seen in it: there, the model's name is believed.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import open_clip
import torch

from benchmark.core.seeding import address
from benchmark.utils.did_you_mean import unknown_name
from methods.blocks.clip.checkpoint import fill, read_checkpoint
from methods.blocks.clip.config import ASSETS, RANDOM, TOY_MODEL, TOY_WEIGHTS, Clip, ClipConfig
from methods.blocks.clip.weights import SUFFIXES, Pretraining, find_weights, listed, recognise

QUICK = "-quickgelu"
"""How open_clip's names of architectures with QuickGELU end, where there is one with either."""


def load(config: ClipConfig) -> Clip:
    """What `methods.blocks.clip.load_clip` returns."""
    open_clip.add_model_config(ASSETS / f"{TOY_MODEL}.json")
    if config.model not in open_clip.list_models():
        raise KeyError(unknown_name("open_clip model", config.model, open_clip.list_models()))
    _must_be_plain(config.model)
    model = _random(config.model) if config.weights == RANDOM else _pretrained(config)
    return model.eval().requires_grad_(False)


def _must_be_plain(name: str) -> None:
    """Refuse what `ClipImageEncoder` and the text bank would take apart wrongly."""
    found = open_clip.get_model_config(name)
    image, text = found["vision_cfg"], found["text_cfg"]
    if "timm_model_name" in image or not isinstance(image.get("layers"), int) or found.get("custom_text"):
        raise ValueError(f"open_clip model {name!r} has no plain ViT image tower: choose one such as ViT-B-16")
    odd = {"attentional_pool", "final_ln_after_pool", "no_ln_pre", "output_tokens", "pool_type", "pos_embed_type"}
    if odd & image.keys():
        raise ValueError(f"the image tower of {name!r} is no plain ViT ({', '.join(sorted(odd & image.keys()))})")
    own = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if own:
        raise ValueError(f"{name!r} reads texts with a tokenizer of its own, {own}: choose one with CLIP's")


def _random(name: str) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(address("random clip", name) % 2**63)
        return _unfilled(name)


def _pretrained(config: ClipConfig) -> Clip:
    file, known = _source(config)
    if known is not None:
        _must_share_activation(config, is_quick=known.is_quick)
    checkpoint = read_checkpoint(file)
    if checkpoint.is_openai:
        _must_share_activation(config, is_quick=True)
    model = _unfilled(config.model)
    fill(model, checkpoint, what=f"{file} and model {config.model!r}")
    if known is not None:
        model.visual.image_mean, model.visual.image_std = known.mean, known.std
    return model


def _source(config: ClipConfig) -> tuple[Path, Pretraining | None]:
    """The weight file, and what is known of it."""
    if config.weights == "toy":
        return TOY_WEIGHTS, None
    known = listed(config.model, config.weights)
    if known is not None:
        _must_share_activation(config, is_quick=known.is_quick)  # before anything is fetched
        return find_weights(known), known
    file = Path(config.weights).expanduser()
    if not file.is_file():
        raise ValueError(_unknown_weights(config))
    return file, recognise(file)


def _must_share_activation(config: ClipConfig, *, is_quick: bool) -> None:
    if is_quick == _is_quick(config.model):
        return
    name = config.model.removesuffix(QUICK) + (QUICK if is_quick else "")
    advice = f"use the model {name!r}" if name in open_clip.list_models() else "choose another model"
    raise ValueError(
        f"weights {config.weights!r} and model {config.model!r} differ in their activation function: the weights were "
        f"trained with {'QuickGELU' if is_quick else 'GELU'}; {advice}"
    )


def _is_quick(model: str) -> bool:
    return bool(open_clip.get_model_config(model).get("quick_gelu"))


def _unknown_weights(config: ClipConfig) -> str:
    other = config.model.removesuffix(QUICK) if config.model.endswith(QUICK) else config.model + QUICK
    if listed(other, config.weights):
        return f"weights {config.weights!r} were trained with another activation function: they need model {other!r}"
    tags = open_clip.list_pretrained_tags_by_model(config.model)
    hint = unknown_name(f"weights for {config.model}", config.weights, [*tags, RANDOM])
    if config.weights.endswith(SUFFIXES):
        return f"{hint}; and there is no such file"
    return f"{hint}; or give the path of a file that exists"


def _unfilled(name: str) -> Clip:
    with _quiet():
        return open_clip.create_model(name, pretrained=None, load_weights=False)


@contextmanager
def _quiet() -> Iterator[None]:
    """open_clip logs to the root, and warns of weights that are loaded only after it is done."""
    chatter = logging.getLogger().level
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logging.getLogger().setLevel(chatter)
