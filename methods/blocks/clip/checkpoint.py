"""Weight files of CLIP models: read whole, fitted whole, or refused in one line."""

from __future__ import annotations

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that OpenAI's archives hold beside the weights, and no other file does."""

_UNREADABLE = (
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SafetensorError,
    TypeError,
    ValueError,
    pickle.UnpicklingError,
)
"""What the readers raise on bytes of another kind: unpickling noise may end anywhere."""


@dataclass(frozen=True)
class Checkpoint:
    """Tensors by name, and whether they are sure to be OpenAI's."""

    tensors: Mapping[str, Tensor]
    is_openai: bool = False


def read_checkpoint(file: Path) -> Checkpoint:
    """Read a weight file: safetensors by its ending, a TorchScript archive, or what `torch.save` wrote.

    A training checkpoint gives its "state_dict"; names lose the prefix "module." of a parallel training.

    Raises:
        ValueError: it is missing, cut short, or no checkpoint.
    """
    try:
        found = _read(file)
    except _UNREADABLE as error:
        line = str(error).strip().partition("\n")[0][:150] or type(error).__name__
        raise ValueError(
            f"cannot load weights: {file} is cut short or no checkpoint ({line}); give a .safetensors file or what "
            "torch.save wrote"
        ) from error
    inner = found.get("state_dict", found) if isinstance(found, Mapping) else None
    if not isinstance(inner, Mapping) or not any(isinstance(value, Tensor) for value in inner.values()):
        raise ValueError(f"cannot load weights: {file} holds no tensors by name: give a state dict")
    prefix = "module." if all(str(name).startswith("module.") for name in inner) else ""
    tensors = {str(name).removeprefix(prefix): value for name, value in inner.items() if isinstance(value, Tensor)}
    is_openai = all(name in tensors for name in OPENAI_EXTRAS)
    return Checkpoint({name: tensors[name] for name in tensors if name not in OPENAI_EXTRAS}, is_openai)


def _read(file: Path) -> Any:
    if file.suffix == ".safetensors":
        return load_file(file)
    if _is_torchscript(file):
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*torch.jit.load", category=FutureWarning)
            return torch.jit.load(file, map_location="cpu").state_dict()
    return torch.load(file, map_location="cpu", weights_only=True)


def _is_torchscript(file: Path) -> bool:
    if not zipfile.is_zipfile(file):
        return False
    with zipfile.ZipFile(file) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def fill(model: nn.Module, checkpoint: Checkpoint, *, what: str) -> None:
    """Give every tensor of a model its value, float16 widened.

    Args:
        what: the weights and the model in words, for messages.

    Raises:
        ValueError: a shape differs, a tensor is missing or unknown, or a number is not finite. Nothing is filled then.
    """
    wanted, given = model.state_dict(), dict(checkpoint.tensors)
    for name in wanted:
        if name in given and given[name].numel() == wanted[name].numel() == 1:
            given[name] = given[name].reshape(wanted[name].shape)  # the temperature, () here and (1,) there
    other = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    if other:
        shapes = f"{tuple(given[other[0]].shape)}, the model's {tuple(wanted[other[0]].shape)}"
        raise ValueError(f"cannot load weights: {what} differ in architecture: {other[0]} of the file is {shapes}")
    if missing or unknown:
        raise ValueError(
            f"cannot load weights: {what} do not match: {_some('missing', missing, len(wanted))}, "
            f"{_some('unknown', unknown, len(given))}"
        )
    broken = [name for name, value in given.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ValueError(f"cannot load weights: {what}: {broken[0]} holds numbers that are not finite; fetch it again")
    model.load_state_dict(given)


def _some(kind: str, names: list[str], total: int) -> str:
    return f"{len(names)} of {total} tensors are {kind}" + (f" (first {names[0]})" if names else "")
