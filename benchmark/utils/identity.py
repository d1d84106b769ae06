"""Identity of values: what of a value makes it another one, as opposed to how it is spelled.

A field that stands at its default is left out, so that a new field with a default leaves the digests of old values
alone. If a default changes, values that were made before keep their digests and mean something else: a record holds all
values in full, and the file with the default is among those whose changes make a run stale.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, get_args

from pydantic import BaseModel

KIND = "kind"
"""Field that tells configs which can replace each other apart; always kept, although it stands at its default."""
CLASS = "class"
"""Key of the class name, for configs that can replace each other and have no field `kind`."""


class IdentifiedModel(BaseModel):
    """A value whose identity is less than all of its fields.

    Attributes:
        descriptive_fields: Names of fields that describe a value and are not part of its identity. A class attribute.
        file_fields: Name of a field that may hold a path to the name of the field with the digest of that file, which
            identifies the file instead of the path if it is not empty. A class attribute.
    """

    descriptive_fields: ClassVar[frozenset[str]] = frozenset()
    file_fields: ClassVar[Mapping[str, str]] = {}


def identify(value: IdentifiedModel) -> dict[str, Any]:
    """Return the fields that identify a value, as JSON values.

    Left out are fields at the default of their class, descriptive fields, and paths of files that a digest identifies;
    see the class attributes of `IdentifiedModel`.

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
            fields[name] = _identify_part(getattr(value, name), usual=_list_part_types(kind, name)[0])
    return fields


def _identify_part(part: Any, *, usual: type[IdentifiedModel]) -> Any:
    """Return a nested value as JSON values.

    Args:
        part: Value of a field.
        usual: First class of nested models that the field accepts. Others that have no field `kind` are named, so that
            a field which accepts more classes than before leaves old digests alone.
    """
    if isinstance(part, IdentifiedModel):
        fields = identify(part)
        return fields | {CLASS: type(part).__name__} if type(part) is not usual and KIND not in fields else fields
    if isinstance(part, Mapping):
        return {str(key): _identify_part(item, usual=usual) for key, item in part.items()}
    if isinstance(part, tuple | list):
        return [_identify_part(item, usual=usual) for item in part]
    return part


class _Required:
    """Default of a required field; equal to no value."""


_REQUIRED = _Required()


def _equals(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


@cache
def _list_defaults(kind: type[IdentifiedModel]) -> dict[str, Any]:
    """Return the default of each field by name."""
    return {
        name: _REQUIRED if field.is_required() else field.get_default(call_default_factory=True, validated_data={})
        for name, field in kind.model_fields.items()
    }


@cache
def _select_plain_fields(kind: type[IdentifiedModel]) -> set[str]:
    """Return the names of fields without nested models."""
    return {name for name in kind.model_fields if not _list_part_types(kind, name)}


@cache
def _list_part_types(kind: type[IdentifiedModel], name: str) -> list[type[IdentifiedModel]]:
    """Return the classes of nested models that a field accepts, in the order of its annotation."""
    return _list_models(kind.model_fields[name].annotation)


def _list_models(annotation: Any) -> list[type[IdentifiedModel]]:
    if isinstance(annotation, type) and issubclass(annotation, IdentifiedModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _list_models(argument)]
