"""Configs with other values, named by dotted keys: `sgd.keep_end=0.1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from benchmark.utils.did_you_mean import unknown_name
from benchmark.utils.frozen_model import FrozenModel

Changes = Mapping[tuple[str, ...], Any]
ModelT = TypeVar("ModelT", bound=BaseModel)
FrozenT = TypeVar("FrozenT", bound=FrozenModel)


Overrides = Sequence[str] | Mapping[str, Any]
"""Values by dotted keys, or texts "key=value" with values as YAML has them."""


def parse_overrides(given: Overrides) -> dict[str, Any]:
    """Overrides as values by their keys. Raises ValueError for a text that is none."""
    if isinstance(given, Mapping):
        return dict(given)
    changes: dict[str, Any] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise ValueError(f"{text!r} is not KEY=VALUE, such as sgd.keep_end=0.1")
        try:
            changes[key.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise ValueError(f"{text!r}: the value cannot be read as YAML") from error
    return changes


def changed(config: FrozenT, changes: Changes, *, path: tuple[str, ...] = ()) -> FrozenT:
    """A config with other values, validated.

    Args:
        config: stays as it is.
        changes: value by the names on the way to its field.
        path: of the config itself within a larger one, for messages.

    Raises:
        KeyError: no such field; names the nearest.
        ValueError: an impossible value; names the field and what is possible.
    """
    fields = {name: getattr(config, name) for name in type(config).model_fields}
    for name in dict.fromkeys(key[0] for key in changes):
        if name not in fields:
            raise KeyError(unknown_name("setting", _dotted(path, name), [_dotted(path, field) for field in fields]))
        inner = {key[1:]: value for key, value in changes.items() if key[0] == name}
        fields[name] = _changed_field(fields[name], inner, path=(*path, name))
    return validated(type(config), fields, path=path) if changes else config


def _changed_field(value: Any, changes: Changes, *, path: tuple[str, ...]) -> Any:
    if () in changes and len(changes) == 1:
        return changes[()]
    name = _dotted(path)
    inner = _dotted(path, *next(key for key in changes if key))
    if () in changes:
        raise ValueError(f"both {name} and {inner} are given: put all into {name}={{...}}")
    if value is None:
        raise ValueError(f"{inner}: {name} is switched off here; give it as a whole, {name}={{...}}")
    if not isinstance(value, FrozenModel):
        raise ValueError(f"{inner}: {name} is one value, {value!r}; it has no settings of its own")
    return changed(value, changes, path=path)


def below(prefix: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The overrides below a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in overrides.items() if key.startswith(prefix)}


def validated(kind: type[ModelT], fields: Mapping[str, Any], *, path: tuple[str, ...]) -> ModelT:
    """A value of a kind. Raises ValueError naming each field that is impossible and what is possible there."""
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        lines = [_line(dict(one), path) for one in error.errors(include_url=False, include_context=False)]
        raise ValueError("; ".join(lines)) from error


def _line(error: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """What was given where, and what is possible there."""
    name = _dotted(path, *map(str, error["loc"]))
    message = str(error["msg"]).removeprefix("Value error, ")
    given = "" if isinstance(error["input"], (Mapping, BaseModel)) else f"={error['input']!r}"
    return f"{name}{given}: {message}" if name else message


def _dotted(path: Sequence[str], *names: str) -> str:
    return ".".join((*path, *names))


def by_path(changes: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """The values by the names on the way to their fields."""
    return {tuple(key.split(".")): value for key, value in changes.items()}
