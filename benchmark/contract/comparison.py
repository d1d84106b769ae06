"""Comparisons of tensors and states that must be equal bit for bit."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.types import Batch, Losses

GENERATORS = ("torch", "random", "numpy.random")
"""Names of the global random generators, in the order of `get_random_states`."""


def predict(method: Method, batch: Batch) -> list[Tensor]:
    """Return the scores (K, height, width) of every sample, without gradients."""
    with torch.no_grad():
        return [prediction["sem_seg"].detach() for prediction in method.predict(batch)]


def find_difference(first: Sequence[Tensor], second: Sequence[Tensor]) -> str:
    """Return how much two lists of tensors differ, in words; empty if they are equal bit for bit."""
    if len(first) != len(second):
        return f"{len(first)} against {len(second)} tensors"
    for a, b in zip(first, second, strict=True):
        if a.shape != b.shape:
            return f"shapes {tuple(a.shape)} and {tuple(b.shape)}"
        if not torch.equal(a, b):
            return f"by up to {float((a - b).detach().abs().nan_to_num(torch.inf).max()):.3g}"
    return ""


def find_different_loss(first: Losses | dict[str, float], second: Losses | dict[str, float]) -> str:
    """Return the first loss that differs, in words; empty if all are equal bit for bit."""
    if first.keys() != second.keys():
        return f"losses {list(first)} and {list(second)}"
    pairs = [(name, _to_float(first[name]), _to_float(second[name])) for name in first]
    return next((f"loss {name!r} is {a:.9g} and {b:.9g}" for name, a, b in pairs if a != b), "")


def _to_float(value: Tensor | float) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else value


def copy_state(method: Method) -> dict[str, Tensor]:
    """Return copies of all parameters and buffers by name."""
    return {name: value.clone() for name, value in _list_tensors(method).items()}


def list_changes(before: Mapping[str, Tensor], method: Method) -> list[str]:
    """Return the names of the parameters and buffers that are other ones than before."""
    after = _list_tensors(method)
    names = dict.fromkeys([*before, *after])
    return [name for name in names if not _are_equal(before.get(name), after.get(name))]


def get_versions(tensors: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return memory address and write count of tensors by name."""
    return {name: (value.data_ptr(), value._version) for name, value in tensors.items() if isinstance(value, Tensor)}


def get_state_versions(method: Method) -> dict[str, tuple[int, int]]:
    """Return memory address and write count of all parameters and buffers by name."""
    return get_versions(_list_tensors(method))


def get_random_states() -> tuple[bytes, object, bytes]:
    """Return the states of the global random generators of torch, Python and numpy."""
    numpy_state: Any = np.random.get_state(legacy=False)
    return torch.get_rng_state().numpy().tobytes(), random.getstate(), repr(_flatten(numpy_state)).encode()


def _flatten(state: Any) -> object:
    return [state["state"]["key"].tobytes(), state["state"]["pos"], state["has_gauss"], state["gauss"]]


def _list_tensors(method: Method) -> dict[str, Tensor]:
    """Return parameters and buffers by name, with those that are not in checkpoints."""
    return {**dict(method.named_parameters()), **dict(method.named_buffers())}


def _are_equal(first: Tensor | None, second: Tensor | None) -> bool:
    return first is not None and second is not None and first.shape == second.shape and torch.equal(first, second)
