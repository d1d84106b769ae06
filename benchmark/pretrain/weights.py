"""Weight files that know where they come from: half-precision safetensors with their history as metadata."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor


def save_weights(path: Path, state: Mapping[str, Tensor], *, history: Mapping[str, str]) -> None:
    """Write a state dict in half precision, whole or not at all.

    Args:
        path: the file to make or replace.
        state: tensors by name; floating point ones are rounded to float16.
        history: what made them (command, seed, data hash ...), kept as the file's metadata.
    """
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in state.items()
    }
    draft = path.with_suffix(".draft")
    save_file(half, draft, metadata=dict(history))
    os.replace(draft, path)


def load_weights(path: Path) -> dict[str, Tensor]:
    """Read a state dict as float32.

    Raises:
        ValueError: if the file is missing or not a whole safetensors file.
    """
    try:
        state = load_file(path)
    except Exception as error:  # safetensors raises its own type, a bare Exception subclass without a public home
        raise ValueError(f"{path} is not a whole safetensors file ({error}); restore it or train it again") from error
    return {name: value.float() if value.dtype == torch.float16 else value for name, value in state.items()}


def read_history(path: Path) -> dict[str, str]:
    """The metadata that `save_weights` kept."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})
