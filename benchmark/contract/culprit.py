"""Search for the line of a method that changes something: its files are traced line by line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from types import FrameType
from typing import Any

from benchmark.core.method import Method
from benchmark.utils.method_names import shorten_path


def find_culprit(work: Callable[[], object], *, files: Collection[Path], observe: Callable[[], object]) -> str:
    """Return the first line of a method's files that changes a value, such as "my_method.py:30 (predict)".

    Args:
        work: Function that calls the method.
        files: Absolute paths of the method's files.
        observe: Function that returns the value; values are compared.

    Returns:
        File, line and function; empty if no line of the files changes the value.
    """
    search, earlier = _Search(files, observe), sys.gettrace()
    sys.settrace(search.enter)
    try:
        work()
    finally:
        sys.settrace(earlier)
    return search.place


def locate_function(method: Method, name: str) -> str:
    """Return file and line where a function of a method is defined, such as "my_method.py:30 (predict)"."""
    code = inspect.unwrap(getattr(type(method), name)).__code__  # below decorators such as no_grad
    return f"{shorten_path(code.co_filename)}:{code.co_firstlineno} ({name})"


class _Search:
    """Trace function that compares a value before and after each line of some files.

    Attributes:
        place: First line that changed the value; empty if there is none yet.
    """

    def __init__(self, files: Collection[Path], observe: Callable[[], object]) -> None:
        self.place = ""
        self._files, self._observe = {str(path) for path in files}, observe
        self._value = observe()
        self._lines: dict[FrameType, int] = {}

    def enter(self, frame: FrameType, _event: str, _argument: Any) -> Callable[..., Any] | None:
        """Trace the lines of a function of the files."""
        return self._compare if str(Path(frame.f_code.co_filename).resolve()) in self._files else None

    def _compare(self, frame: FrameType, event: str, _argument: Any) -> Callable[..., Any]:
        value = self._observe()
        if value != self._value and not self.place:
            line = self._lines.get(frame, frame.f_lineno)
            self.place = f"{shorten_path(frame.f_code.co_filename)}:{line} ({frame.f_code.co_name})"
        self._value = value
        if event == "line":
            self._lines[frame] = frame.f_lineno
        return self._compare
