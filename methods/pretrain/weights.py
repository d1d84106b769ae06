"""Weight files that know where they come from: half-precision safetensors with their history as metadata."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchmark.utils.atomic_files import draft_of


def save_weights(path: Path, state: Mapping[str, Tensor], *, history: Mapping[str, str]) -> None:
    """Write a state dict in half precision, whole or not at all.

    Args:
        path: the file to make or replace.
        state: tensors by name; floating point ones are rounded to float16.
        history: what made them (command, seed, data hash ...), kept as the file's metadata.

    Raises:
        OSError: it cannot be written; the old content is intact.
    """
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in state.items()
    }
    with draft_of(path) as draft:
        save_file(half, draft, metadata=dict(history))
        draft.chmod(0o644)  # safetensors makes files that only their owner reads


def read_history(path: Path) -> dict[str, str]:
    """The metadata that `save_weights` kept."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})
