"""Paths in a file that are relative to its folder, made independent of the current folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def anchor_method(method: str, folder: Path) -> str:
    """Return a method, with its variant if there is one; the path of a file or package begins with the folder."""
    path, suffix, variant = method.partition(".py")
    if suffix and (not variant or variant.startswith("/")):
        return f"{folder / Path(path + suffix).expanduser()}{variant}"
    is_package = method.startswith((".", "~", "/"))  # the path of a package, which the name of a method never is
    return str(folder / Path(method).expanduser()) if is_package else method


def anchor_yaml(name: str, folder: Path) -> str:
    """Return a name as it is; the path of a YAML file, or of one that a split is drawn from, with the folder."""
    is_path = name.endswith(".yaml") or ".yaml@" in name
    return str(folder / Path(name).expanduser()) if is_path else name


def anchor_value(value: Any, folder: Path) -> Any:
    """Return a value of an override; texts in it that are the path of an existing file begin with the folder."""
    if isinstance(value, dict):
        return {key: anchor_value(item, folder) for key, item in value.items()}
    if isinstance(value, list):
        return [anchor_value(item, folder) for item in value]
    is_path = isinstance(value, str) and Path(value).suffix and (folder / value).is_file()
    return str(folder / value) if is_path else value
