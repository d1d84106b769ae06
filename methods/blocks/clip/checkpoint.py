"""Weight files of CLIP models, see `methods.blocks.weight_files`, and what distinguishes OpenAI's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from methods.blocks.weight_files import read_tensors

OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")
"""Numbers that only OpenAI's archives hold in addition to the weights."""


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
    """Read a weight file.

    Raises:
        ValueError: The file is missing, truncated, no checkpoint, or holds no tensors by name.
    """
    tensors = read_tensors(file)
    is_openai = all(name in tensors for name in OPENAI_EXTRAS)
    return ClipCheckpoint({name: tensors[name] for name in tensors if name not in OPENAI_EXTRAS}, is_openai)
