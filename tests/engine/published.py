"""A published checkpoint of the small method, written as its authors would have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.planning.method_setup import resolve_method
from tests.engine.runs import METHOD

OFFICIAL_NAMES = {"body.": "backbone.", "rows": "classifier", "memory": "memory", "mean": "pixel_mean"}


def build_published(variant: str = "Small", **overrides: Any) -> Method:
    """Return the small method as its authors trained it: other weights, statistics and colors than any seed gives."""
    method = resolve_method(f"{METHOD}/{variant}", split="toybox", overrides=overrides).build(seed=77)
    with torch.no_grad():
        method.get_buffer("mean").fill_(120)
        method.get_buffer("body.1.running_mean").fill_(0.25)
    return method


def rename_to_official(method: Method) -> dict[str, Tensor]:
    """Return the tensors of a method by their official names; the frozen color map is not published."""
    return {
        new + name.removeprefix(old): value
        for name, value in method.state_dict().items()
        for old, new in OFFICIAL_NAMES.items()
        if name.startswith(old)
    }


def save_official(path: Path, variant: str = "Small", **overrides: Any) -> Path:
    """Write a training checkpoint with the tensors in a table, next to its settings."""
    tensors = rename_to_official(build_published(variant, **overrides))
    torch.save({"state_dict": tensors | {"epoch": torch.tensor(9)}, "meta": {"iter": 20000}}, path)
    return path
