"""Builds the CLIP that a config describes; this module imports open_clip."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import open_clip
import torch
from torch import Tensor

from benchmark.core.seeding import hash_rng_key
from benchmark.utils.input_files import record_input
from methods.blocks.clip.assets import RANDOM, TOY, TOY_WEIGHTS
from methods.blocks.clip.checkpoint import read_checkpoint
from methods.blocks.clip.compatibility import check_activation, check_architecture, describe_unknown_weights
from methods.blocks.clip.config import AnyClipConfig, Clip
from methods.blocks.clip.weights import (
    Pretraining,
    find_pixel_statistics,
    find_weights,
    look_up_pretraining,
    recognize_weights,
)
from methods.blocks.weight_files import load_tensors


def build_clip(config: AnyClipConfig) -> Clip:
    """Build a CLIP and load its weights; arguments and errors as in `methods.blocks.clip.load_clip`."""
    check_architecture(config.model)
    return _build_random(config.model) if config.weights == RANDOM else _build_pretrained(config)


def _build_random(name: str) -> Clip:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(hash_rng_key("random clip", name) % 2**63)
        return _build_without_weights(name)


def _build_pretrained(config: AnyClipConfig) -> Clip:
    file, pretraining = _locate_weights(config)
    if pretraining is not None:
        check_activation(config.model, config.weights, is_quick=pretraining.is_quick)
    checkpoint = read_checkpoint(file)
    record_input(file)
    if checkpoint.is_openai:
        check_activation(config.model, config.weights, is_quick=True)
    model = _build_without_weights(config.model)
    load_tensors(model, rename_tensors(checkpoint.tensors, model), description=f"{file} and model {config.model!r}")
    if pretraining is not None:
        model.visual.image_mean, model.visual.image_std = pretraining.mean, pretraining.std
    return model


def rename_tensors(tensors: Mapping[str, Tensor], model: Clip) -> dict[str, Tensor]:
    """Return the tensors of a file by the names that a model has for them.

    Older files have the text encoder's tensors beside those of the image encoder, where a model with a text encoder of
    its own has them in `text`; files of models that were not trained with a sigmoid loss have no bias of logits, which
    no score uses; and files of ResNets may lack the numbers of batches that their batch norms have seen.
    """
    renamed = dict(tensors)
    if hasattr(model, "text") and "text_projection" in tensors:
        own = ("visual.", "logit_")
        renamed = {name if name.startswith(own) else f"text.{name}": value for name, value in tensors.items()}
    if getattr(model, "logit_bias", None) is not None and "logit_bias" not in renamed:
        renamed["logit_bias"] = torch.zeros_like(model.logit_bias)
    counts = {name: value for name, value in model.state_dict().items() if name.endswith(".num_batches_tracked")}
    return counts | renamed


def _locate_weights(config: AnyClipConfig) -> tuple[Path, Pretraining | None]:
    """Return the weight file, and its pretraining if that is known."""
    if config.weights == TOY:
        return TOY_WEIGHTS, None
    pretraining = look_up_pretraining(config.model, config.weights)
    if pretraining is not None:  # before anything is downloaded
        check_activation(config.model, config.weights, is_quick=pretraining.is_quick)
        return find_weights(pretraining), pretraining
    file = Path(config.weights).expanduser()
    if not file.is_file():
        raise ValueError(describe_unknown_weights(config.model, config.weights))
    return file, recognize_weights(file)


def _build_without_weights(name: str) -> Clip:
    """Build a model with the pixel statistics that all listed weights of it share; open_clip's defaults otherwise."""
    with _silence_logging():
        model = open_clip.create_model(name, pretrained=None, load_weights=False)
    statistics = find_pixel_statistics(name)
    if statistics is not None:
        model.visual.image_mean, model.visual.image_std = statistics
    return model


@contextmanager
def _silence_logging() -> Iterator[None]:
    """Silence open_clip, which logs to the root logger and warns that no weights are loaded."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)
