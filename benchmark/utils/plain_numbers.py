"""Numbers that are written as numbers: true is not 1 and the text "20" is not 20, although pydantic takes both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic_core import PydanticKnownError, core_schema

_PARTS = ("schema", "choices", "items_schema", "values_schema")
"""Keys of the schemas within a schema, but for the keys of tables, which are texts in JSON."""


def refuse_other_types(fields: Mapping[str, Any]) -> None:
    """Make the numbers of a model accept nothing but numbers, wherever they are within its fields.

    JSON needs no change: whatever is read from it was written by this package.

    Args:
        fields: Schema of the fields of a model by name; it is changed in place. Models within it are left alone.
    """
    for field in fields.values():
        for schema in _list_numbers(field):
            number = dict(schema)
            schema.clear()
            schema.update(core_schema.json_or_python_schema(number, _check_first(number)))


def _list_numbers(schema: Any) -> Iterator[dict[str, Any]]:
    """Yield the schemas of whole and other numbers within a schema."""
    if isinstance(schema, list | tuple):
        for part in schema:
            yield from _list_numbers(part)
    elif isinstance(schema, dict) and schema.get("type") in ("int", "float"):
        yield schema
    elif isinstance(schema, dict) and schema.get("type") not in ("model", "json-or-python"):
        for key in _PARTS:
            yield from _list_numbers(schema.get(key))


def _check_first(number: Any) -> core_schema.CoreSchema:
    check: Callable[[object], object] = _CHECKS[number["type"]]
    return core_schema.no_info_before_validator_function(check, number)


def _check_int(value: object) -> object:
    if isinstance(value, bool | str | bytes):
        raise PydanticKnownError("int_type")
    return value


def _check_float(value: object) -> object:
    if isinstance(value, bool | str | bytes):
        raise PydanticKnownError("float_type")
    return value


_CHECKS: dict[str, Callable[[object], object]] = {"int": _check_int, "float": _check_float}
