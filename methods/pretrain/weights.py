"""Weight files in half precision that record how they were trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from benchmark.utils.atomic_files import open_draft


def save_weights(path: Path, state: Mapping[str, Tensor], *, history: Mapping[str, str]) -> None:
    """Write a state dict as safetensors in half precision, atomically.

    Args:
        path: File to create or replace.
        state: Name to tensor; floating point tensors are rounded to float16.
        history: Settings of the training (command, seed, data hash, ...), stored as metadata of the file.

    Raises:
        OSError: The file cannot be written; its previous content is unchanged.
    """
    half = {
        name: (value.half() if value.is_floating_point() else value).contiguous().clone()
        for name, value in state.items()
    }
    with open_draft(path) as draft:
        save_file(half, draft, metadata=dict(history))
        draft.chmod(0o644)  # safetensors creates files that only their owner can read


def read_history(path: Path) -> dict[str, str]:
    """Return the settings that `save_weights` stored."""
    with safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})
