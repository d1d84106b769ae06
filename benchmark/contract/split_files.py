"""Watch over split files: which lines of a method open one, also while the method is imported."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from benchmark.core.split import SPLITS
from benchmark.core.split_draw import is_drawn, parse_draw
from benchmark.utils.paths import ROOT

_BLOCKS = str(ROOT / "methods" / "blocks") + os.sep


@dataclass(frozen=True)
class OpenedFile:
    """A split file that a line of a method opens.

    Attributes:
        name: Name of the file.
        place: The line, such as "my_method.py:30 (build)".
    """

    name: str
    place: str


class _Watch:
    """Lines of some files that open a file of a split.

    Attributes:
        opened: What was opened, in order.
    """

    def __init__(self, files: Collection[Path], name: str) -> None:
        self.opened: list[OpenedFile] = []
        base = parse_draw(name).base if is_drawn(name) else name
        self._files, self._names = {str(path) for path in files}, {f"{name}.yaml", f"{base}.yaml"}

    def hear(self, path: str, frame: FrameType | None) -> None:
        """Note who opens a file, if it is that of a split; blocks may do so on behalf of a method."""
        folder, name = os.path.split(os.path.abspath(path))
        if name not in self._names and not (folder == str(SPLITS) and name.endswith(".yaml")):
            return
        while frame is not None and not frame.f_code.co_filename.startswith(_BLOCKS):
            file = Path(frame.f_code.co_filename)
            if str(file.resolve()) in self._files:
                self.opened.append(OpenedFile(name, f"{file.name}:{frame.f_lineno} ({frame.f_code.co_name})"))
                return
            frame = frame.f_back


_WATCHES: list[_Watch] = []
_HOOKS: list[bool] = []


@contextmanager
def watch_split_files(files: Collection[Path], name: str) -> Iterator[list[OpenedFile]]:
    """Yield a list to which the split files are added that some files open before the block ends.

    Args:
        files: Absolute paths of the method's own files.
        name: Name of a split; files of this name, or of the base that it is drawn from, count wherever they are, and
            so do those of the included splits.
    """
    if not _HOOKS:
        sys.addaudithook(_hear)  # stays for the life of the process, and does nothing without a watch
        _HOOKS.append(True)
    watch = _Watch(files, name)
    _WATCHES.append(watch)
    try:
        yield watch.opened
    finally:
        _WATCHES.remove(watch)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _WATCHES and isinstance(arguments[0], str):
        for watch in tuple(_WATCHES):
            watch.hear(arguments[0], sys._getframe(1))
