"""Loading of a published checkpoint into a method: complete and of the right shapes, or refused in one line."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from benchmark.core.method import Method, Recipe
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.weight_files import read_weight_file
from benchmark.utils.input_files import hash_file, record_input

SHOWN_NAMES = 3
"""Number of names that an error shows."""


def load_official_weights(method: Method, file: Path, *, recipe: Recipe[Any], sha256: str = "") -> int:
    """Load a published checkpoint into a method by its recipe's converter; the file becomes an input of the run.

    Everything that training could change must be in the file: trained parameters and the buffers beside them, whether
    or not this run trains. Frozen tensors, such as a copy of CLIP, may be in it, and replace those that were loaded:
    all those of a part of the method, or none of them. A part is an attribute of the method.

    Args:
        method: Method as its recipe builds it, before its vocabulary is set. It is unchanged if an error is raised.
        file: Weight file, see `benchmark.core.weight_files`.
        recipe: Recipe of the method.
        sha256: Digest that the file must have; empty for any.

    Returns:
        Number of tensors that were loaded.

    Raises:
        ValueError: There is no converter, or the file is no checkpoint, of another model, incomplete, or has another
            digest.
    """
    tensors = _convert(method, file, recipe=recipe)
    if sha256 and hash_file(file) != sha256:  # after reading, so that it is the content that was read
        raise ValueError(describe_change(file, sha256))
    state = {name: value for name, value in method.state_dict().items() if isinstance(value, Tensor)}
    problem = _find_problem(tensors, state=state, required=get_trainable_state(method))
    if problem:
        raise ValueError(f"{_begin(file, recipe)} {problem}")
    method.load_state_dict(dict(tensors), strict=False)
    record_input(file)
    return len(tensors)


def describe_change(file: Path, sha256: str) -> str:
    """Return that a weight file is not the one of the plan.

    Args:
        file: Weight file.
        sha256: Digest that was expected.
    """
    return f"weights {file} changed since this run was planned, SHA-256 {sha256[:12]} was expected: plan it again"


def _convert(method: Method, file: Path, *, recipe: Recipe[Any]) -> Mapping[str, Tensor]:
    """Return the tensors of a file by our names."""
    if recipe.convert_official is None:
        raise ValueError(f"{recipe.title} reads no published checkpoints: its recipe has no convert_official")
    official, model = read_weight_file(file)
    if model and recipe.official_model and model != recipe.official_model:
        raise ValueError(f"{_begin(file, recipe)} it is a checkpoint of {model}, expected {recipe.official_model}")
    try:
        return recipe.convert_official(official, method)
    except KeyError as error:
        raise ValueError(f"{_begin(file, recipe)} the file has no tensor {error}") from error
    except ValueError as error:
        raise ValueError(f"{_begin(file, recipe)} {' '.join(str(error).split())}") from error
    except (RuntimeError, IndexError, TypeError) as error:  # of torch, about shapes that the converter does not expect
        problem = f"its converter fails ({' '.join(str(error).split())}): it is another model's file"
        raise ValueError(f"{_begin(file, recipe)} {problem}") from error


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
        return (
            f"the converter gives names that the method does not have, {_list(unknown, tensors)}: choose the variant "
            "and the config of the file, or correct the converter"
        )
    misshapen = [name for name in tensors if tensors[name].shape != state[name].shape]
    if misshapen:
        shapes = tuple(tensors[misshapen[0]].shape), tuple(state[misshapen[0]].shape)
        return (
            f"shapes differ of {_list(misshapen, tensors)}, of the first {shapes[0]} in the file and {shapes[1]} here: "
            "choose the variant and the config of the file"
        )
    return _find_missing(tensors, state=state, required=required) or _find_broken(tensors, state=state)


def _find_missing(tensors: Mapping[str, Tensor], *, state: Mapping[str, Tensor], required: Mapping[str, object]) -> str:
    """Return which tensors a file lacks; arguments as in `_find_problem`."""
    missing = [name for name in required if name not in tensors]
    if missing:
        return f"it lacks trained tensors, {_list(missing, required)}: it is another model, or a part of one"
    parts = {_get_part(name) for name in tensors if name not in required}
    frozen = [name for name in state if name not in required and _get_part(name) in parts]
    missing = [name for name in frozen if name not in tensors]
    return f"it lacks some frozen tensors, {_list(missing, frozen)}: it is a part of a model" if missing else ""


def _find_broken(tensors: Mapping[str, Tensor], *, state: Mapping[str, Tensor]) -> str:
    """Return which tensors of a file hold numbers of another kind, or no numbers; arguments as in `_find_problem`."""
    others = [name for name in tensors if tensors[name].is_floating_point() != state[name].is_floating_point()]
    if others:
        types = tensors[others[0]].dtype, state[others[0]].dtype
        return f"types differ of {_list(others, tensors)}, of the first {types[0]} in the file and {types[1]} here"
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    return f"numbers are not finite in {_list(broken, tensors)}: download it again" if broken else ""


def _get_part(name: str) -> str:
    """Return the part of a method that a tensor is in."""
    return name.partition(".")[0]


def _list(names: Sequence[str], all_names: Collection[str]) -> str:
    """Return some of several names as a count and the first of them: "4 of 10 (rows, mean, memory, …)"."""
    more = ", …" if len(names) > SHOWN_NAMES else ""
    return f"{len(names)} of {len(all_names)} ({', '.join(names[:SHOWN_NAMES])}{more})"
