"""The user's folder of weights, $CHIMERA_BENCH_WEIGHTS.

The file of a model and a tag is called MODEL.TAG plus one of `SUFFIXES`, as in
`ViT-B-16-quickgelu.openai.safetensors`.
"""

from __future__ import annotations

import os
from pathlib import Path

VARIABLE = "CHIMERA_BENCH_WEIGHTS"
SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")


def get_user_folder() -> Path | None:
    """Return the folder; None if the variable is not set."""
    folder = os.environ.get(VARIABLE)
    return Path(folder).expanduser() if folder else None


def find_user_file(model: str, tag: str) -> Path | None:
    """Return the user's own file of a model and a tag; None if there is none."""
    folder = get_user_folder()
    files = [folder / f"{model}.{tag}{suffix}" for suffix in SUFFIXES] if folder is not None else []
    return next((file for file in files if file.is_file()), None)
