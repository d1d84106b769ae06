"""Surroundings in which a method file is imported: it reads and changes nothing of the command that imports it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def shield_command(source: Path) -> Iterator[None]:
    """Hide the arguments of this process within the context, and return to the working folder at its end.

    A file that reads a command line reads an empty one, so that its errors name the file and not this program.

    Args:
        source: File that is imported.
    """
    arguments, folder = sys.argv, _find_working_folder()
    sys.argv = [str(source)]
    try:
        yield
    finally:
        sys.argv = arguments
        if folder and _find_working_folder() != folder:
            os.chdir(folder)


def _find_working_folder() -> str:
    """Return the working folder; empty if it was removed."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""
