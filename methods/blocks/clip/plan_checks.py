"""Checks of a CLIP before anything is built: architecture, weights and what other parts need to know of it.

open_clip, whose import takes seconds, is imported only to look for weights that are given by their tag.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from methods.blocks.clip.architecture import Architecture, check_support, read_architecture
from methods.blocks.clip.assets import RANDOM, TOY, TOY_MODEL
from methods.blocks.clip.user_folder import find_user_file
from methods.blocks.weight_files import compare_shapes, find_problem_of_file, read_shapes


def check_clip(model: str, weights: str) -> None:
    """Check that an architecture exists and that its weights are there or can be downloaded.

    Args:
        model: Name of the architecture.
        weights: Tag, file, "toy" or "random".

    Raises:
        KeyError: open_clip has no such architecture; the message names the nearest.
        ValueError: The architecture is not supported, or the weights are missing or belong to another one.
    """
    architecture = read_architecture(model)
    check_support(architecture, model=model)
    if weights == RANDOM:
        return
    if weights == TOY:
        if model != TOY_MODEL:
            raise ValueError(f"clip.weights=toy belong to {TOY_MODEL}, and clip.model is {model}: set both")
        return
    file = Path(weights).expanduser()
    if file.exists():
        _check_file(file, architecture, model=model)
    elif find_user_file(model, weights) is None:
        _check_tag(model, weights)


def check_patches(model: str, *, needed_by: str) -> None:
    """Check that a CLIP embeds the patches of images, for methods that use them.

    Args:
        model: Name of the architecture.
        needed_by: What needs them, and how to do without them if that is possible: the beginning of the message.

    Raises:
        KeyError: open_clip has no such architecture; the message names the nearest.
        ValueError: The architecture is not supported, or only for whole images.
    """
    architecture = read_architecture(model)
    check_support(architecture, model=model)
    if not architecture.has_patches:
        raise ValueError(
            f"{needed_by}, but the image encoder of {model} is a ResNet, which is supported for whole images alone: "
            "choose a clip.model with a ViT, as ViT-B-16-quickgelu"
        )


def check_class_embedding(model: str, *, needed_by: str) -> None:
    """Check that images are embedded by their class token, for methods that use it.

    Args:
        model: Name of the architecture.
        needed_by: What needs it, and how to do without it if that is possible: the beginning of the message.

    Raises:
        ValueError: They are embedded by attention pooling or an average.
    """
    if not read_architecture(model).has_class_embedding:
        raise ValueError(f"{needed_by}, but {model} pools patches and has no class token that embeds an image")


def _check_file(file: Path, architecture: Architecture, *, model: str) -> None:
    problem = find_problem_of_file(file)
    if problem:
        raise ValueError(f"clip.weights: {file}: {problem}")
    found = read_shapes(file)
    expected = {name: shape for name, shape in architecture.tensor_shapes.items() if name in found}
    problem = compare_shapes({name: found[name] for name in expected}, expected)
    if problem:
        raise ValueError(f"clip.weights: {file} and model {model!r} {problem}")


@lru_cache(maxsize=64)
def _check_tag(model: str, tag: str) -> None:
    from methods.blocks.clip.compatibility import check_tag  # not above: open_clip takes seconds to import

    check_tag(model, tag)
