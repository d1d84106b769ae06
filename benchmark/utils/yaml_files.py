"""YAML files that hold a table (a mapping): splits, protocols, studies, profiles, descriptions of datasets.

Reading a table needs no pydantic, which would double the time of `list`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

if TYPE_CHECKING:
    from benchmark.utils.frozen_model import FrozenModel

LOADER: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""Loader in C if there is one: a study with a thousand seeds takes a tenth of a second without it."""

Model = TypeVar("Model", bound="FrozenModel")


def read_table(path: Path, *, kind: str, loader: type[yaml.SafeLoader] = LOADER) -> dict[str, Any]:
    """Read a YAML file that holds a table; an empty file is an empty table.

    Args:
        path: File to read.
        kind: Kind of the content, for error messages, such as "split".
        loader: YAML loader.

    Raises:
        ValueError: The file is not a table in YAML; one line that names the file.
    """
    try:
        table = yaml.load(path.read_bytes(), Loader=loader)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is not a valid {kind}: {' '.join(str(error).split())}") from error
    if table is not None and not isinstance(table, dict):
        raise ValueError(f"{path} is not a valid {kind}: expected a table (key: value), found a {type(table).__name__}")
    return table or {}


def read_model(model: type[Model], path: Path, *, kind: str, **fields: Any) -> Model:
    """Read a YAML file as a typed value.

    Args:
        model: Type of the value.
        path: File to read.
        kind: Kind of the content, for error messages, such as "split".
        fields: Values of fields that the file does not contain.

    Raises:
        ValueError: The file does not hold such a value; one line that names the file and the field.
    """
    from pydantic import ValidationError

    from benchmark.utils.frozen_model import describe_first_error

    try:
        return model.model_validate(fields | read_table(path, kind=kind))
    except ValidationError as error:
        raise ValueError(f"{path} is not a valid {kind}: {describe_first_error(error)}") from error
