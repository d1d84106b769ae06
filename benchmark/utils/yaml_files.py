"""YAML files that hold a table (a mapping): splits, protocols, studies, profiles, descriptions of datasets.

Reading a table needs no pydantic, which would double the time of `list`.
"""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from benchmark.utils.shown_values import show_value
from benchmark.utils.yaml_loader import Dumper, Loader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pydantic import ValidationError

    from benchmark.utils.frozen_model import FrozenModel

Model = TypeVar("Model", bound="FrozenModel")

_PROBLEMS = {
    "found character that cannot start any token": "a tab or another character that YAML does not allow here: indent "
    "with spaces, and put texts that begin with @ ` or % in quotes",
    "but found another document": "a second document (---) begins here: write it to a file of its own",
    "mapping values are not allowed in this context": "a colon that begins no value here: indent the line as its "
    "neighbors, or put a text with a colon in quotes",
    "found a tab character that violates indentation": "a tab: indent with spaces",
    "found unexpected end of stream": "the quotes that begin here are not closed",
    "did not find expected key": "no key (key: value) where one is expected: look at quotes and indentation",
    "did not find expected node content": "no value where one is expected: close brackets and braces",
    "did not find expected ',' or ']'": "the [ here is not closed, or a comma is missing",
    "did not find expected ',' or '}'": "the { here is not closed, or a comma is missing",
    "exceeded maximum nesting depth": "the values are nested too deeply",
    "found undefined alias": "an alias (*) without its anchor (&): put a text that begins with * in quotes",
    "control characters are not allowed": "a control character: is this a text file?",
}
"""What to do about the problems that PyYAML finds, by its own words."""
_OPEN = ("found unexpected end of stream", "did not find expected ',' or ']'", "did not find expected ',' or '}'")
"""Problems that are found at the end of something that is not closed; its beginning says more."""


def read_table(path: Path, *, kind: str) -> dict[str, Any]:
    """Read a YAML file that holds a table.

    Args:
        path: File to read.
        kind: Kind of the content, for error messages, such as "split".

    Raises:
        ValueError: The file is not a table in YAML; one line that names the file, the line and the problem.
    """
    try:
        table = deepcopy(_parse_file(path.read_bytes()))
    except ValueError as error:
        raise ValueError(f"{path} is not a valid {kind}: {error}") from error
    if table is None:
        raise ValueError(f"{path} is not a valid {kind}: the file is empty")
    if not isinstance(table, dict):
        raise ValueError(f"{path} is not a valid {kind}: expected a table (key: value), found {_name_kind(table)}")
    return table


def format_table(table: Mapping[str, Any]) -> str:
    """Return a table of plain values as YAML, which `read_table` reads back as it is."""
    return yaml.dump(table, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=120)


def _name_kind(value: object) -> str:
    return "a list" if isinstance(value, list) else show_value(value)


def read_model(model: type[Model], path: Path, *, kind: str, **fields: Any) -> Model:
    """Read a YAML file as a typed value.

    Args:
        model: Type of the value.
        path: File to read.
        kind: Kind of the content, for error messages, such as "split".
        fields: Values of fields that the file does not contain.

    Raises:
        ValueError: The file does not hold such a value; one line that names the file, the line and the field.
    """
    from pydantic import ValidationError

    try:
        return model.model_validate(fields | read_table(path, kind=kind))
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid {kind}: {describe_invalid(error, model, path)}") from error


def describe_invalid(
    error: ValidationError, model: type[FrozenModel], path: Path, *, within: Sequence[str] = ()
) -> str:
    """Return one line about the first invalid value of a file: the number of its line, the value and what is expected.

    Args:
        error: Error of the validation.
        model: Type that was validated.
        path: File that was read.
        within: Keys on the way to the validated value within the file.
    """
    from benchmark.utils.validation_errors import describe_first_error, list_problems

    first = list_problems(error, model)[0]
    line = find_line(path, (*within, *first["loc"]))
    place = "" if line is None else f"line {line}: "
    is_text = first["type"] == "string_type" and not isinstance(first["input"], dict | list | tuple)
    return f"{place}{describe_first_error(error, model)}{'; put it in quotes' if is_text else ''}"


def parse_yaml(text: str) -> Any:
    """Read a text in YAML.

    Raises:
        ValueError: The text is not valid; one line that names the line of the text and the problem.
    """
    try:
        return yaml.load(text, Loader=Loader)
    except yaml.YAMLError as error:
        raise ValueError(_describe_error(error)) from error
    except RecursionError as error:
        raise ValueError("the values are nested too deeply") from error


@lru_cache(maxsize=64)
def _parse_file(content: bytes) -> Any:
    """Read the content of a file, once per content: the rows of a grid share their split and protocol."""
    return parse_yaml(_decode(content))


def find_line(path: Path, location: Sequence[str | int]) -> int | None:
    """Return the number of the line in which a value of a valid YAML file stands.

    Args:
        path: File that was read.
        location: Keys and positions on the way to the value; those that are not in the file are skipped.

    Returns:
        Number from 1, of the innermost value that was found; None if none was.
    """
    node = yaml.compose(_decode(path.read_bytes()), Loader=Loader)
    line = None
    for name in location:
        child = _find_child(node, name)
        if child is not None:
            node, line = child[0], child[1] + 1
    return line


def _find_child(node: Any, name: str | int) -> tuple[Any, int] | None:
    """Return the value at a key or position, and the index of the line in which it begins."""
    if isinstance(node, yaml.MappingNode):
        pairs = [(value, key.start_mark.line) for key, value in node.value if key.value == str(name)]
        return pairs[0] if pairs else None
    if isinstance(node, yaml.SequenceNode) and isinstance(name, int) and name < len(node.value):
        return node.value[name], node.value[name].start_mark.line
    return None


def _decode(content: bytes) -> str:
    """Return the text of a file.

    Raises:
        ValueError: The file is not in UTF-8; the message names the line.
    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"line {line}: byte {content[error.start]:#04x} is not UTF-8: save the file as UTF-8"
        ) from error


def _describe_error(error: yaml.YAMLError) -> str:
    """Return one line about an error of PyYAML."""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    mark = next(filter(None, reversed(marks) if problem in _OPEN else marks), None)
    text = " ".join(_PROBLEMS.get(problem, problem).split())
    return text if mark is None else f"line {mark.line + 1}: {text}"
