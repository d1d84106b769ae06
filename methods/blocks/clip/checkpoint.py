"""Weight files of CLIP models: read and loaded completely, or refused with an error of one line."""

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
"""Numbers that only OpenAI's archives hold in addition to the weights."""

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
"""Errors of reading a file that is no checkpoint: unpickling arbitrary bytes may raise any of these."""


@dataclass(frozen=True)
class ClipCheckpoint:
    """Tensors by name.

    Attributes:
        tensors: Name to tensor.
        is_openai: Whether the file is certainly one of OpenAI's.
    """

    tensors: Mapping[str, Tensor]
    is_openai: bool = False


def read_checkpoint(file: Path) -> ClipCheckpoint:
    """Read a weight file: safetensors (by its suffix), a TorchScript archive, or a file written by `torch.save`.

    Of a training checkpoint, the "state_dict" is used; the prefix "module." of data-parallel training is removed.

    Raises:
        ValueError: The file is missing, truncated, or no checkpoint.
    """
    try:
        content = _read(file)
    except _UNREADABLE as error:
        line = str(error).strip().partition("\n")[0][:150] or type(error).__name__
        raise ValueError(
            f"cannot load weights: {file} is truncated or no checkpoint ({line}); give a .safetensors file or one "
            "written by torch.save"
        ) from error
    state = content.get("state_dict", content) if isinstance(content, Mapping) else None
    if not isinstance(state, Mapping) or not any(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"cannot load weights: {file} holds no tensors by name: give a state dict")
    prefix = "module." if all(str(name).startswith("module.") for name in state) else ""
    tensors = {str(name).removeprefix(prefix): value for name, value in state.items() if isinstance(value, Tensor)}
    is_openai = all(name in tensors for name in OPENAI_EXTRAS)
    return ClipCheckpoint({name: tensors[name] for name in tensors if name not in OPENAI_EXTRAS}, is_openai)


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


def load_checkpoint(model: nn.Module, checkpoint: ClipCheckpoint, *, description: str) -> None:
    """Load every tensor of a model, converting float16 to the model's precision.

    Args:
        model: Model whose tensors are replaced.
        checkpoint: Exactly the tensors of the model.
        description: Names of the file and the model for error messages.

    Raises:
        ValueError: A shape differs, a tensor is missing or unknown, or a number is not finite. The model is unchanged.
    """
    expected, tensors = model.state_dict(), dict(checkpoint.tensors)
    for name in expected:
        if name in tensors and tensors[name].numel() == expected[name].numel() == 1:
            tensors[name] = tensors[name].reshape(expected[name].shape)  # the temperature is () or (1,)
    misshapen = [name for name in expected if name in tensors and tensors[name].shape != expected[name].shape]
    missing = [name for name in expected if name not in tensors]
    unknown = [name for name in tensors if name not in expected]
    if misshapen:
        name = misshapen[0]
        shapes = f"{tuple(tensors[name].shape)}, the model's {tuple(expected[name].shape)}"
        raise ValueError(f"cannot load weights: {description} differ in architecture: {name} of the file is {shapes}")
    if missing or unknown:
        raise ValueError(
            f"cannot load weights: {description} do not match: {_describe_count('missing', missing, len(expected))}, "
            f"{_describe_count('unknown', unknown, len(tensors))}"
        )
    broken = [name for name, value in tensors.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise ValueError(f"cannot load weights: {description}: {broken[0]} is not finite; download the file again")
    model.load_state_dict(tensors)


def _describe_count(kind: str, names: list[str], total: int) -> str:
    return f"{len(names)} of {total} tensors are {kind}" + (f" (first {names[0]})" if names else "")
