"""Assignments: texts `key=value` and `key=v1,v2` that users type, as values and sweeps by dotted key."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any

import yaml

from benchmark.core.sweep import check_values
from benchmark.utils.yaml_files import parse_yaml
from benchmark.utils.yaml_loader import Loader

OPTIONS = {
    "method": "name the method itself",
    "split": "--split",
    "splits": "--split",
    "seed": "--seed",
    "seeds": "--seed",
} | {name: f"--{name.replace('_', '-')}" for name in ("protocol", "engine", "max_images")}
"""Keys that are options of their own."""
_QUOTES = """'KEY="one, two"'"""


def split_assignment(text: str) -> tuple[str, str]:
    """Return key and value of a text `key=value`.

    Raises:
        ValueError: The text has another form, or the key is another option's.
    """
    key, equals, value = text.partition("=")
    key = key.strip()
    if not equals or not key:
        raise ValueError(f"{text!r} is not KEY=VALUE, such as sgd.keep_end=0.1")
    return key, value


def parse_value(text: str, *, value: str) -> Any:
    """Return a value in YAML.

    Args:
        text: Assignment that the value belongs to, for error messages.
        value: Value as typed.

    Raises:
        ValueError: The value is not valid; the message quotes the assignment.
    """
    try:
        return parse_yaml(value)
    except ValueError as error:
        reason = re.sub(r"^line \d+: ", "", str(error))
        raise ValueError(f"{text!r}: the value cannot be read as YAML: {reason}") from error


def parse_assignments(texts: Iterable[str]) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    """Return the overrides and the sweeps that texts give.

    A value is YAML: a number, a text, a list `[1, 2]`, a table `{config: a, decoder: fpn}`. Commas outside brackets,
    braces and quotes separate the values of a sweep: `0.5,1,2`, `[1,2],[3,4]`, `{kind: a, size: 1},{kind: b}`. A text
    with a comma stands in quotes within the value, as in `'note="one, two"'`.

    Raises:
        ValueError: A text has another form, is ambiguous, or gives a key again; the message quotes it.
    """
    overrides: dict[str, Any] = {}
    sweep: dict[str, tuple[Any, ...]] = {}
    for text in texts:
        key, value = split_assignment(text)
        if key in OPTIONS:
            raise ValueError(f"{text!r}: {key} is no setting of a method; use instead: {OPTIONS[key]}")
        if key in overrides or key in sweep:
            raise ValueError(f"{key} is set twice: to sweep it, write all values in one, {key}=VALUE,VALUE")
        values = _split_values(text, value)
        if len(values) == 1:
            overrides[key] = values[0]
        else:
            check_values(key, values)
            sweep[key] = values
    return overrides, sweep


def _split_values(text: str, value: str) -> tuple[Any, ...]:
    """Return the values of an assignment: one, or those between commas."""
    if "," not in value or os.path.exists(value) or not _may_be_several(text, value):
        return (parse_value(text, value=value),)
    if value.rstrip().endswith(","):
        raise ValueError(
            f"{text!r} has no value after its last comma: remove the comma, or put a text in quotes, {_QUOTES}"
        )
    try:
        values = tuple(parse_yaml(f"[{value}]"))
    except ValueError as error:
        raise ValueError(f"{text!r} cannot be split at its commas: put a text in quotes, {_QUOTES}") from error
    is_spaced = re.search(r",\s", value) is not None and not value.lstrip().startswith(("[", "{", '"', "'"))
    if is_spaced and any(isinstance(item, str) for item in values):
        raise ValueError(
            f"{text!r} may be one text or a sweep of {len(values)} values: put a text in quotes, {_QUOTES}; "
            "for a sweep, leave out the space after the comma"
        )
    return values


def _may_be_several(text: str, value: str) -> bool:
    """Return whether a value with commas is no list, table or quoted text as a whole."""
    try:
        node = yaml.compose(value, Loader=Loader)
    except yaml.YAMLError:
        return True  # such as [1,2],[3,4]
    if isinstance(node, yaml.MappingNode) and not node.flow_style:
        if "," not in node.value[0][0].value:  # otherwise such as 1,{kind: a}
            raise ValueError(f"{text!r} may be one table or several values: put a table in braces, 'KEY={{{value}}}'")
        return True
    return isinstance(node, yaml.ScalarNode) and not node.style
