"""Overrides: other values for fields of a config, named by dotted keys such as `sgd.keep_end=0.1`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from benchmark.core.assignments import parse_value, split_assignment
from benchmark.utils.did_you_mean import explain_unknown_name
from benchmark.utils.frozen_model import FrozenModel, explain_renamed
from benchmark.utils.shown_values import show_value
from benchmark.utils.validation_errors import describe_errors

Overrides = Sequence[str] | Mapping[str, Any]
"""Values by dotted key, or texts "key=value" with values in YAML."""
Changes = Mapping[tuple[str, ...], Any]
"""Values by the names on the way to their fields, see `split_keys`."""
KIND = "kind"
"""Field that says which of several configs a part has."""
ModelT = TypeVar("ModelT", bound=BaseModel)
FrozenT = TypeVar("FrozenT", bound=FrozenModel)


def parse_overrides(overrides: Overrides) -> dict[str, Any]:
    """Return overrides as values by dotted key.

    Raises:
        ValueError: A text is not of the form key=value, or gives a key again.
    """
    if isinstance(overrides, Mapping):
        return dict(overrides)
    values: dict[str, Any] = {}
    for text in overrides:
        key, value = split_assignment(text)
        if key in values:
            raise ValueError(f"{key} is set twice: remove one of them")
        values[key] = parse_value(text, value=value)
    return values


def split_keys(overrides: Mapping[str, Any]) -> dict[tuple[str, ...], Any]:
    """Return the values by the names on the way to their fields."""
    return {tuple(key.split(".")): value for key, value in overrides.items()}


def select_prefix(prefix: str, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return the overrides whose keys begin with a prefix, without it."""
    return {key.removeprefix(prefix): value for key, value in overrides.items() if key.startswith(prefix)}


def apply_overrides(config: FrozenT, changes: Changes, *, path: tuple[str, ...] = ()) -> FrozenT:
    """Return a config with other values, validated.

    Args:
        config: Config to start from; it is not modified.
        changes: Values by the names on the way to their fields.
        path: Names on the way to the config itself within a larger one, for error messages.

    Raises:
        KeyError: There is no such field; the message gives its new name or the nearest one.
        ValueError: A value is invalid; the message names the field and the valid values. A part gets another kind
            without being given as a whole.
    """
    fields = {name: getattr(config, name) for name in type(config).model_fields}
    for name in dict.fromkeys(key[0] for key in changes):
        if name not in fields:
            raise KeyError(_explain_unknown_field(type(config), name, path))
        inner = {key[1:]: value for key, value in changes.items() if key[0] == name}
        if name == KIND and path and inner.get((), fields[name]) != fields[name]:
            raise ValueError(_explain_kind(inner[()], fields[name], path))
        fields[name] = _change_field(fields[name], inner, path=(*path, name))
    return validate_fields(type(config), fields, path=path) if changes else config


def validate_fields(kind: type[ModelT], fields: Mapping[str, Any], *, path: tuple[str, ...]) -> ModelT:
    """Return a value made from fields.

    Args:
        kind: Type of the value.
        fields: Values by field name.
        path: Names on the way to the value within a larger one, for error messages.

    Raises:
        ValueError: Fields are invalid; the message names each of them and its valid values.
    """
    try:
        return kind.model_validate(fields)
    except ValidationError as error:
        raise ValueError(describe_errors(error, kind, path=path)) from error


def _explain_unknown_field(kind: type[FrozenModel], name: str, path: tuple[str, ...]) -> str:
    if name in kind.renamed_fields:
        return explain_renamed(_join(path, name), _join(path, kind.renamed_fields[name]))
    return explain_unknown_name("setting", _join(path, name), [_join(path, field) for field in kind.model_fields])


def _explain_kind(value: Any, kind: Any, path: tuple[str, ...]) -> str:
    return (
        f"{_join(path, KIND)}={show_value(value)}: expected {show_value(kind)} here; a part of another kind has other "
        f"settings and is given as a whole, {_join(path)}={{{KIND}: …}}"
    )


def _change_field(value: Any, changes: Changes, *, path: tuple[str, ...]) -> Any:
    if () in changes and len(changes) == 1:
        return changes[()]
    name = _join(path)
    inner = _join(path, *next(key for key in changes if key))
    if () in changes:
        raise ValueError(f"both {name} and {inner} are given: put all into {name}={{...}}")
    if value is None:
        raise ValueError(f"{inner}: {name} is switched off here; give it as a whole, {name}={{...}}")
    if not isinstance(value, FrozenModel):
        raise ValueError(f"{inner}: {name} is one value, {show_value(value)}; it has no settings of its own")
    return apply_overrides(value, changes, path=path)


def _join(path: Sequence[str], *names: str) -> str:
    return ".".join((*path, *names))
