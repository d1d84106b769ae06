"""Errors in the checks that a method's own config makes, with the place in the method's file."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmark.planning.registry import list_own_files, simplify_name
from benchmark.store.exceptions import explain_exception
from benchmark.utils.paths import ROOT

_SOURCES = tuple(ROOT / name for name in ("benchmark", "methods"))


@contextmanager
def locate_own_errors(name: str, variant: str) -> Iterator[None]:
    """Give an error that the files of an external method raise within the context their file, line and function.

    Args:
        name: Name of the method, or path of its file.
        variant: Label of the variant that is checked.

    Raises:
        ValueError: The method's own code failed or refused its config; errors of the package pass unchanged.
    """
    try:
        yield
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        files = list_own_files(simplify_name(name))
        if not _is_raised_by(error, files):
            raise
        raise ValueError(f"{variant}: {explain_exception(error, method_files=files).summary}") from error


def _is_raised_by(error: BaseException, files: list[Path]) -> bool:
    """Return whether the deepest frame within some files or the package, whatever it calls, is in the files."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        path = Path(frame.filename).resolve()
        if any(path.is_relative_to(folder) for folder in _SOURCES):
            return False
        if path in files:
            return True
    return False
