"""Loading of a published checkpoint into a method: complete and of the right shapes, or refused in one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmark.core.method import Method, Recipe
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.weight_files import read_tensors
from benchmark.utils.input_files import record_input

SHOWN_NAMES = 3
"""Number of names that an error shows."""


def load_official_weights(method: Method, file: Path, *, recipe: Recipe[Any]) -> int:
    """Load a published checkpoint into a method by its recipe's converter; the file becomes an input of the run.

    Everything that training could change must be in the file: trained parameters and the buffers beside them, whether
    or not this run trains. Frozen tensors, such as a copy of CLIP, may be in it, and replace those that were loaded.

    Args:
        method: Method as its recipe builds it, before its vocabulary is set. It is unchanged if an error is raised.
        file: Weight file, see `benchmark.core.weight_files`.
        recipe: Recipe of the method.

    Returns:
        Number of tensors that were loaded.

    Raises:
        ValueError: There is no converter, or the file is no checkpoint, of another model, or incomplete.
    """
    tensors = _convert(method, file, recipe=recipe)
    state = {name: value for name, value in method.state_dict().items() if isinstance(value, Tensor)}
    problem = _find_problem(tensors, state=state, required=get_trainable_state(method))
    if problem:
        raise ValueError(f"{_begin(file, recipe)} {problem}")
    method.load_state_dict(dict(tensors), strict=False)
    record_input(file)
    return len(tensors)


def _convert(method: Method, file: Path, *, recipe: Recipe[Any]) -> Mapping[str, Tensor]:
    """Return the tensors of a file by our names."""
    if recipe.convert_official is None:
        raise ValueError(f"{recipe.title} reads no published checkpoints: its recipe has no convert_official")
    official = read_tensors(file)
    if not official:
        raise ValueError(f"{_begin(file, recipe)} the file holds no tensors")
    try:
        return recipe.convert_official(official, method)
    except KeyError as error:
        raise ValueError(f"{_begin(file, recipe)} the file has no tensor {error}") from error
    except ValueError as error:
        raise ValueError(f"{_begin(file, recipe)} {' '.join(str(error).split())}") from error


def _begin(file: Path, recipe: Recipe[Any]) -> str:
    return f"{file} cannot be loaded into {recipe.title}:"


def _find_problem(tensors: Mapping[str, Tensor], *, state: Mapping[str, Tensor], required: Mapping[str, object]) -> str:
    """Return why converted tensors do not fit a method; empty if they do.

    Args:
        tensors: Tensors by our names.
        state: All tensors of the method.
        required: Those that the file must give.
    """
    unknown = [name for name in tensors if name not in state]
    if unknown:
        return f"its converter gives names that the method does not have, {_list(unknown, tensors)}: correct it"
    misshapen = [name for name in tensors if tensors[name].shape != state[name].shape]
    if misshapen:
        shapes = tuple(tensors[misshapen[0]].shape), tuple(state[misshapen[0]].shape)
        return (
            f"shapes differ of {_list(misshapen, tensors)}, of the first {shapes[0]} in the file and {shapes[1]} here: "
            "choose the variant and the config of the file"
        )
    missing = [name for name in required if name not in tensors]
    if missing:
        return f"it lacks trained tensors, {_list(missing, required)}: it is another model, or a part of one"
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    return f"numbers are not finite in {_list(broken, tensors)}: download it again" if broken else ""


def _list(names: Sequence[str], all_names: Collection[str]) -> str:
    """Return some of several names as a count and the first of them: "4 of 10 (rows, mean, memory, …)"."""
    more = ", …" if len(names) > SHOWN_NAMES else ""
    return f"{len(names)} of {len(all_names)} ({', '.join(names[:SHOWN_NAMES])}{more})"
