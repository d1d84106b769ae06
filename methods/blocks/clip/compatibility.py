"""Which architectures of open_clip are supported, and which weights fit them; this module imports open_clip.

Weights trained with QuickGELU and run with GELU, or vice versa, give features that look plausible but are wrong. A
mismatch is therefore an error whenever it can be detected: for every tag; for files that still have the name given by
open_clip's table or the Hub; and for OpenAI's archives under any name, by the extra numbers they contain. A renamed
state dict does not show its activation function, so the one of the configured model is assumed.
"""

from __future__ import annotations

import open_clip

from benchmark.utils.did_you_mean import explain_unknown_name
from methods.blocks.clip.architecture import check_support, find_architecture_file, read_architecture
from methods.blocks.clip.assets import RANDOM, TOY, TOY_MODEL
from methods.blocks.clip.user_folder import SUFFIXES
from methods.blocks.clip.weights import check_weights_exist, look_up_pretraining

QUICK_SUFFIX = "-quickgelu"
"""Suffix of open_clip's architectures with QuickGELU that also exist with GELU."""


def check_tag(model: str, tag: str) -> None:
    """Check that listed weights fit a model, and exist here or on the Hub, without downloading them.

    Raises:
        KeyError: open_clip has no such architecture.
        ValueError: The architecture is not supported, or the weights are unknown, do not fit or cannot be fetched.
    """
    check_architecture(model)
    pretraining = look_up_pretraining(model, tag)
    if pretraining is None:
        raise ValueError(describe_unknown_weights(model, tag))
    check_activation(model, tag, is_quick=pretraining.is_quick)
    check_weights_exist(pretraining)


def check_architecture(name: str) -> None:
    """Refuse unknown architectures, and those whose images or texts would not be embedded correctly.

    An architecture that is not open_clip's own is added to its list.

    Raises:
        KeyError: open_clip has no such architecture.
        ValueError: Something of the architecture is not supported.
    """
    file = find_architecture_file(name)
    if name not in open_clip.list_models():
        open_clip.add_model_config(file)
    check_support(read_architecture(name), model=name)


def check_activation(model: str, weights: str, *, is_quick: bool) -> None:
    """Check that a model has the activation function that its weights were trained with.

    Args:
        model: Architecture.
        weights: Tag or file, for the error message.
        is_quick: Whether the weights were trained with QuickGELU.

    Raises:
        ValueError: The activation functions differ.
    """
    if is_quick == bool(open_clip.get_model_config(model).get("quick_gelu")):
        return
    name = model.removesuffix(QUICK_SUFFIX) + (QUICK_SUFFIX if is_quick else "")
    advice = f"use the model {name!r}" if name in open_clip.list_models() else "choose another model"
    raise ValueError(
        f"weights {weights!r} and model {model!r} differ in their activation function: the weights were "
        f"trained with {'QuickGELU' if is_quick else 'GELU'}; {advice}"
    )


def describe_unknown_weights(model: str, weights: str) -> str:
    """Return one line about weights that are neither a tag of the model nor a file."""
    sibling = model.removesuffix(QUICK_SUFFIX) if model.endswith(QUICK_SUFFIX) else model + QUICK_SUFFIX
    if look_up_pretraining(sibling, weights):
        return f"weights {weights!r} were trained with another activation function: they need model {sibling!r}"
    included = [TOY] if model == TOY_MODEL else []
    choices = [*open_clip.list_pretrained_tags_by_model(model), *included, RANDOM]
    hint = explain_unknown_name(f"weights for {model}", weights, choices)
    if weights.endswith(SUFFIXES):
        return f"{hint}; no such file exists either"
    return f"{hint}; or give the path of an existing file"
