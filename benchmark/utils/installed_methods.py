"""Methods of installed packages: entry points in the group "chimera_bench.methods", found without importing them."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec, PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from benchmark.utils.source_files import INIT, digest_sources

GROUP = "chimera_bench.methods"


def list_entry_points() -> dict[str, EntryPoint]:
    """Return the entry points of installed methods by name."""
    return {point.name: point for point in entry_points(group=GROUP)}


def find_module_file(point: EntryPoint) -> Path:
    """Return the file of an entry point's module without importing the packages around it.

    Raises:
        ValueError: The entry point leads to no file.
    """
    top, *inner = point.module.split(".")
    spec: ModuleSpec | None = importlib.util.find_spec(top)
    for depth in range(len(inner)):
        locations = spec.submodule_search_locations if spec is not None else None
        spec = PathFinder.find_spec(".".join([top, *inner[: depth + 1]]), locations) if locations is not None else None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        raise ValueError(f"entry point {point.name!r} = {point.value!r} leads to no Python file: install it again")
    return Path(spec.origin)


def list_package_files(point: EntryPoint) -> tuple[list[Path], Path]:
    """Return all files of an entry point's package, or its one file, and a folder that holds them all.

    Raises:
        ValueError: The entry point leads to no file.
    """
    source, depth = find_module_file(point), point.module.count(".")
    if depth == 0 and source.name != INIT:
        return [source], source.parent
    package = source.parents[depth if source.name == INIT else depth - 1]
    return sorted(package.rglob("*.py")), package


def digest_installed_method(name: str) -> str:
    """Return the SHA-256 of what an installed method computes; empty if it is not installed or leads to no file."""
    point = list_entry_points().get(name)
    try:
        return digest_sources(*list_package_files(point)) if point is not None else ""
    except (OSError, ValueError):
        return ""
