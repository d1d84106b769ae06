"""Configs whose weight files need not be there: random weights take as much time and memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from benchmark.core.method import Config

ConfigT = TypeVar("ConfigT", bound=Config)
FIELD, DIGEST = "weights", "sha256"
INCLUDED = ("toy", "random")
"""Values of the field that need no file."""


def use_random_weights(config: ConfigT) -> ConfigT:
    """Return a config in which every part whose weights are not an existing file has random ones.

    A part says which weights it loads in its field `weights`, a text; random are None if the field allows it, else
    "random". A field of this name that is a choice, such as "frozen" or "trained", names no file.
    """
    fields = {name: _replace_parts(getattr(config, name)) for name in type(config).model_fields}
    options = _list_types(config)
    if str in options and not _is_available(fields[FIELD]):
        fields[FIELD] = None if type(None) in options else "random"
        fields |= {DIGEST: ""} if DIGEST in fields else {}
    return type(config).model_validate(fields)


def _replace_parts(value: Any) -> Any:
    if isinstance(value, Config):
        return use_random_weights(value)
    if isinstance(value, tuple):
        return tuple(_replace_parts(item) for item in value)
    if isinstance(value, Mapping):
        return {key: _replace_parts(item) for key, item in value.items()}
    return value


def _list_types(config: Config) -> tuple[Any, ...]:
    """Return the types that the field with the weights accepts; none if there is no such field."""
    field = type(config).model_fields.get(FIELD)
    return () if field is None else (field.annotation, *get_args(field.annotation))


def _is_available(weights: str | None) -> bool:
    """Return whether weights need no file that is missing here."""
    return weights is None or weights in INCLUDED or Path(weights).expanduser().is_file()
