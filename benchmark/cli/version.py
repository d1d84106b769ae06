"""`--version`: what is installed, without importing it."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import typer

from benchmark.cli.console import print_line


def describe_version() -> str:
    """Return one line: the version of this package with its commit, if it is a checkout, and of Python and torch."""
    from benchmark.store.environment import find_commit

    commit = find_commit()
    words = [f"chimera-bench {_read_version('chimera-bench')}" + (f" (commit {commit})" if commit else "")]
    words += [f"Python {platform.python_version()}", f"torch {_read_version('torch')}"]
    return ", ".join(words)


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
