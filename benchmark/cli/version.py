"""`--version`: what is installed, without importing it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from benchmark.cli.console import print_line


def describe_version() -> str:
    """Return a line on this package, with its commit if it is a checkout, and one on Python and torch."""
    from benchmark.store.environment import find_commit

    commit = find_commit()
    own = f"chimera-bench {_read_version('chimera-bench')}" + (f" (commit {commit})" if commit else "")
    return f"{own}\nPython {platform.python_version()}, torch {_read_version('torch')}"


def print_version(is_wanted: bool) -> None:
    """Print the version and end the command, as the callback of an option."""
    if is_wanted:
        print_line(describe_version())
        raise typer.Exit


def _read_version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
