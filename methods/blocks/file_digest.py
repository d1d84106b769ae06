"""Digests of files that configs name: the content of a file, not its path, is part of a run's identity."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from benchmark.utils.input_files import hash_file, is_collecting, record_digest


def add_digest(fields: Any, field: str, *, into: str = "sha256") -> Any:
    """Add the SHA-256 of the file that a config field names; for validators with mode "before".

    Args:
        fields: Fields of a config as given by the user or by a plan; returned unchanged if they name no file.
        field: Name of the field that may hold a path.
        into: Name of the field that receives the digest.

    Returns:
        The fields with the digest.

    Raises:
        ValueError: The fields come from a plan, and the file has changed since.
    """
    if not isinstance(fields, Mapping) or not isinstance(fields.get(field), str):
        return fields
    path = Path(fields[field]).expanduser()
    if not path.is_file():
        return fields
    digest = hash_file(path)
    if fields.get(into, "") not in ("", digest):
        raise ValueError(f"{path} has changed since this run was planned: plan it again")
    return {**fields, into: digest}


def record_tensors(name: str, module: nn.Module) -> None:
    """Record downloaded weights as an input of the current run by their content, as their file is not known.

    Args:
        name: Name of the input, with a colon, see `benchmark.utils.input_files.record_digest`.
        module: Module that holds nothing but these weights.
    """
    if not is_collecting():
        return
    digest = hashlib.sha256()
    for key, value in module.state_dict().items():
        digest.update(f"{key} {value.dtype} {tuple(value.shape)}\0".encode())
        digest.update(value.numpy(force=True).tobytes())
    record_digest(name, digest.hexdigest())
