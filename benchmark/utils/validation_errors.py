"""Errors of reading values, in the words of the files and options that users write.

The names of pydantic's error types are fixed; its messages ("Input should be a valid dictionary") speak of Python.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from benchmark.utils.did_you_mean import explain_unknown_name, find_near_name
from benchmark.utils.shown_values import show_value

EXPECTATIONS = {
    "greater_than": "a number above {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "less_than": "a number below {lt}",
    "less_than_equal": "a number of at most {le}",
    "multiple_of": "a multiple of {multiple_of}",
    "finite_number": "a finite number",
    "too_short": "{min_length} or more entries, found {actual_length}",
    "too_long": "{max_length} or fewer entries, found {actual_length}",
    "string_type": "a text",
    "string_unicode": "a text in UTF-8",
    "string_too_short": "a text of at least {min_length} characters",
    "string_too_long": "a text of at most {max_length} characters",
    "string_pattern_mismatch": "a text that matches {pattern}",
    "string_not_ascii": "a text in ASCII",
    "enum": "{expected}",
    "literal_error": "{expected}",
    "none_required": "null",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a whole number with fewer digits",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a decimal number",
    "decimal_parsing": "a decimal number",
    "decimal_max_digits": "at most {max_digits} digits",
    "decimal_max_places": "at most {decimal_places} digits after the point",
    "decimal_whole_digits": "at most {whole_digits} digits before the point",
    "fraction_type": "a fraction such as 3/4",
    "fraction_parsing": "a fraction such as 3/4",
    "complex_type": "a complex number",
    "complex_str_parsing": "a complex number",
    "bytes_type": "bytes",
    "bytes_too_short": "at least {min_length} bytes",
    "bytes_too_long": "at most {max_length} bytes",
    "bytes_invalid_encoding": "bytes in {encoding}",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "frozen_set_type": "a list",
    "deque_type": "a list",
    "iterable_type": "a list",
    "iteration_error": "a list ({error})",
    "set_item_not_hashable": "a list of single values",
    "dict_type": "a table (key: value)",
    "frozen_dict_type": "a table (key: value)",
    "ordered_dict_type": "a table (key: value)",
    "counter_type": "a table (key: number)",
    "mapping_type": "a table (key: value)",
    "model_type": "a table of fields (key: value)",
    "model_attributes_type": "a table of fields (key: value)",
    "dataclass_type": "a table of fields (key: value)",
    "dataclass_exact_type": "a table of fields (key: value)",
    "named_tuple_type": "a list or a table of fields",
    "invalid_key": "keys that are texts",
    "union_tag_invalid": "a table whose {discriminator} is {expected_tags}, found {tag!r}",
    "union_tag_not_found": "a table with the field {discriminator}",
    "json_invalid": "JSON ({error})",
    "json_type": "a text in JSON",
    "date_type": "a date, YYYY-MM-DD",
    "date_parsing": "a date, YYYY-MM-DD",
    "date_from_datetime_parsing": "a date, YYYY-MM-DD",
    "date_from_datetime_inexact": "a date without a time",
    "date_past": "a date in the past",
    "date_future": "a date in the future",
    "time_type": "a time, HH:MM:SS",
    "time_parsing": "a time, HH:MM:SS",
    "datetime_type": "a date and time, YYYY-MM-DDTHH:MM:SS",
    "datetime_parsing": "a date and time, YYYY-MM-DDTHH:MM:SS",
    "datetime_object_invalid": "a date and time ({error})",
    "datetime_from_date_parsing": "a date and time, YYYY-MM-DDTHH:MM:SS",
    "datetime_past": "a time in the past",
    "datetime_future": "a time in the future",
    "timezone_naive": "a time without a time zone",
    "timezone_aware": "a time with a time zone",
    "timezone_offset": "a time zone with offset {tz_expected}, found {tz_actual}",
    "time_delta_type": "a duration",
    "time_delta_parsing": "a duration",
    "is_instance_of": "a value of type {class}",
    "is_subclass_of": "a subclass of {class}",
    "callable_type": "a function",
    "url_type": "a URL",
    "url_parsing": "a URL ({error})",
    "url_syntax_violation": "a URL ({error})",
    "url_too_long": "a URL of at most {max_length} characters",
    "url_scheme": "a URL that begins with {expected_schemes}",
    "uuid_type": "a UUID",
    "uuid_parsing": "a UUID ({error})",
    "uuid_version": "a UUID of version {expected_version}",
}
"""What was expected instead of the value, by error type."""

STATEMENTS = {
    "missing": "is missing",
    "missing_argument": "is missing",
    "missing_keyword_only_argument": "is missing",
    "missing_positional_only_argument": "is missing",
    "extra_forbidden": "is no known field: remove it",
    "unexpected_keyword_argument": "is no known argument: remove it",
    "unexpected_positional_argument": "is one argument too many: remove it",
    "multiple_argument_values": "is given more than once",
    "arguments_type": "expected a list or a table of arguments",
    "frozen_field": "cannot be changed",
    "frozen_instance": "cannot be changed",
    "recursion_loop": "contains itself",
    "recursion_depth_exceeded": "is nested too deeply",
    "no_such_attribute": "has no attribute {attribute!r}",
    "get_attribute_error": "cannot be read ({error})",
    "default_factory_not_called": "has no value, because another field is invalid",
    "needs_python_object": "cannot be read from JSON",
    "missing_sentinel_error": "must be left out",
    "ellipsis_error": "must be left out",
}
"""What is wrong with a field as such, by error type."""

_LABEL = re.compile(r"(str|int|float|bool|none|constrained-\w+)|[\w-]+\[.*\]", re.DOTALL)
"""Labels by which pydantic marks the members of a union, or a check, in the path to a value."""


def describe_first_error(error: ValidationError, kind: type[BaseModel] | None = None) -> str:
    """Return the first problem of a validation in one line: KEY=VALUE: expected something else.

    Args:
        error: Error of a validation.
        kind: Type that was validated, for the names of its fields; None if it is unknown.
    """
    return next(_describe_problems(error, kind, ()))


def describe_errors(error: ValidationError, kind: type[BaseModel] | None = None, *, path: Sequence[str] = ()) -> str:
    """Return all problems of a validation in one line, separated by semicolons.

    Args:
        error: Error of a validation.
        kind: Type that was validated, for the names of its fields; None if it is unknown.
        path: Names on the way to the value within a larger one.
    """
    return "; ".join(_describe_problems(error, kind, path))


def list_problems(error: ValidationError, kind: type[BaseModel] | None = None) -> list[ErrorDetails]:
    """Return the problems of a validation; unknown fields that are near a known one come first.

    Such a misspelled field is the reason why the right one is missing.

    Args:
        error: Error of a validation.
        kind: Type that was validated; None if it is unknown.
    """
    return sorted(error.errors(include_url=False), key=lambda details: not _is_misspelled(details, kind))


def _is_misspelled(details: ErrorDetails, kind: type[BaseModel] | None) -> bool:
    if details["type"] != "extra_forbidden" or kind is None:
        return False
    return find_near_name(str(details["loc"][-1]), _list_fields(kind, details["loc"][:-1])) is not None


def _describe_problems(error: ValidationError, kind: type[BaseModel] | None, path: Sequence[str]) -> Iterator[str]:
    """Yield one text for each value with a problem; the members of a union are alternatives and share one.

    A value that is no member of a union, and a part of it that alone keeps it from being one, are one problem of the
    part.
    """
    groups: dict[tuple[str, ...], list[ErrorDetails]] = {}
    for details in list_problems(error, kind):
        names = tuple(_find_names(details, kind)) or tuple(_find_names(details, None))
        groups.setdefault(names, []).append(details)
    whole = {names[:length] for names in groups for length in range(len(names))}
    for names, group in groups.items():
        if names and names in whole:
            continue
        yield _describe_problem((*path, *names), group, kind)


def _describe_problem(names: Sequence[str], group: Sequence[ErrorDetails], kind: type[BaseModel] | None) -> str:
    first, key = group[0], ".".join(names)
    if first["type"] == "extra_forbidden" and kind is not None:
        known = sorted(_list_fields(kind, first["loc"][:-1]))
        if known:
            return explain_unknown_name("field", key, [".".join((*names[:-1], name)) for name in known])
    expectations = [_format(EXPECTATIONS[each["type"]], each) for each in group if each["type"] in EXPECTATIONS]
    if first["type"] in STATEMENTS:
        return f"{key or 'the value'} {_format(STATEMENTS[first['type']], first)}"
    if first["type"] in EXPECTATIONS:
        *others, last = dict.fromkeys(expectations)
        text = f"expected {' or '.join([*(one.replace(' or ', ', ') for one in others), last])}"
    else:  # raised by a validator of ours, or an error type of a newer pydantic
        text = " ".join(first["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ").split())
        text = text.replace("Input should be", "expected") or "is not allowed"
    value = first["input"]
    is_long = isinstance(value, dict | list | tuple | BaseModel)
    shown = "" if is_long or first["type"] == "json_invalid" else f"={show_value(value)}"
    return f"{key}{shown}: {text}" if key else text


def _format(template: str, details: ErrorDetails) -> str:
    return template.format_map({"actual_length": "none", **details.get("ctx", {})})


def _find_names(details: ErrorDetails, kind: type[BaseModel] | None) -> Iterator[str]:
    """Yield the parts of the path to a value that users know: fields, keys and indices."""
    types: Sequence[Any] = () if kind is None else (kind,)
    is_union = False
    for index, part in enumerate(details["loc"]):
        if is_union and _LABEL.fullmatch(str(part)):
            is_union = False
            continue
        is_extra = details["type"] == "extra_forbidden" and index == len(details["loc"]) - 1
        inner = _enter(types, part) if kind is not None else None
        if inner is None and not is_extra and (kind is not None or _LABEL.fullmatch(str(part))):
            continue
        types = inner or ()
        is_union = sum(each is not NoneType for each in types) > 1
        yield str(part)


def _list_fields(kind: type[BaseModel], loc: Iterable[int | str]) -> set[str]:
    """Return the names of the fields that the value at a path may have."""
    types: Sequence[Any] = (kind,)
    for part in loc:
        inner = _enter(types, part)
        types = types if inner is None else inner
    models = [each for each in types if isinstance(each, type) and issubclass(each, BaseModel)]
    return set().union(*(each.model_fields for each in models))


def _enter(types: Sequence[Any], part: int | str) -> Sequence[Any] | None:
    """Return the possible types of a part of a value of possible types; None if it is no part of such a value."""
    inner: list[Any] = []
    is_part = False
    for each in types:
        if isinstance(each, type) and issubclass(each, BaseModel) and part in each.model_fields:
            is_part = True
            inner += _list_types(each.model_fields[str(part)].annotation)
        origin = get_origin(each) or each
        is_table = isinstance(origin, type) and issubclass(origin, Mapping)
        is_list = isinstance(origin, type) and issubclass(origin, Sequence | set | frozenset) and origin is not str
        if is_table or (is_list and isinstance(part, int)):
            is_part = True
            arguments = get_args(each)[1:] if is_table else get_args(each)
            inner += [found for argument in arguments for found in _list_types(argument)]
    return inner if is_part else None


def _list_types(annotation: Any) -> list[Any]:
    """Return the members of a union, without annotations."""
    if get_origin(annotation) is Annotated:
        return _list_types(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return [found for member in get_args(annotation) for found in _list_types(member)]
    return [annotation]
