"""Identity of values: what of a value makes it another one, as opposed to how it is spelled.

A field that stands at its default is left out, so that a new field with a default leaves the digests of old values
alone. If a default changes, values that were made before keep their digests and mean something else: a record holds all
values in full, and the file with the default is among those whose changes make a run stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

if TYPE_CHECKING:
    from benchmark.utils.frozen_model import FrozenModel

KIND = "kind"
"""Field that tells configs which can replace each other apart; always kept, although it stands at its default."""
CLASS = "class"
"""Key of the class name, for configs that can replace each other and have no field `kind`."""


def identify(value: FrozenModel) -> dict[str, Any]:
    """Return the fields that identify a value, as JSON values.

    Left out are fields at the default of their class, descriptive fields, and paths of files that a digest identifies;
    see the class attributes of `FrozenModel`.

    Args:
        value: Value whose nested parts are reduced in the same way.
    """
    kind = type(value)
    fields = value.model_dump(mode="json", include=_select_plain_fields(kind))
    unused = kind.descriptive_fields | {path for path, digest in kind.file_fields.items() if getattr(value, digest)}
    for name, default in _list_defaults(kind).items():
        if name in unused or (name != KIND and _equals(getattr(value, name), default)):
            fields.pop(name, None)
        elif name not in fields:
            fields[name] = _identify_part(getattr(value, name), is_ambiguous=_count_models(kind, name) > 1)
    return fields


def _identify_part(part: Any, *, is_ambiguous: bool) -> Any:
    if isinstance(part, BaseModel):
        fields = identify(part)  # type: ignore[arg-type]  # parts of frozen models are frozen models
        return fields | {CLASS: type(part).__name__} if is_ambiguous and KIND not in fields else fields
    if isinstance(part, Mapping):
        return {str(key): _identify_part(item, is_ambiguous=is_ambiguous) for key, item in part.items()}
    if isinstance(part, tuple | list):
        return [_identify_part(item, is_ambiguous=is_ambiguous) for item in part]
    return part


class _Required:
    """Default of a required field; equal to no value."""


_REQUIRED = _Required()


def _equals(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


@cache
def _list_defaults(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the default of each field by name."""
    return {
        name: _REQUIRED if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
        for name, field in kind.model_fields.items()
    }


@cache
def _select_plain_fields(kind: type[BaseModel]) -> set[str]:
    """Return the names of fields without nested models."""
    return {name for name in kind.model_fields if not _count_models(kind, name)}


@cache
def _count_models(kind: type[BaseModel], name: str) -> int:
    """Return how many classes of nested models a field accepts."""
    return len(_list_models(kind.model_fields[name].annotation))


def _list_models(annotation: Any) -> set[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return {annotation}
    return {model for argument in get_args(annotation) for model in _list_models(argument)}
