"""Commands of the command line, run in this process."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmark.cli import main

TINY = "tests/cli/tiny_method.py"


class CommandResult(NamedTuple):
    """Exit code and output of a command."""

    code: int
    out: str
    err: str


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> CommandResult:
    """Run a command and return its exit code and output."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return CommandResult(ended.value.code, out, err)


def refuse_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse to replace any file, as a read-only file system does."""

    def refuse(path: Path) -> None:
        raise OSError(errno.EROFS, f"cannot write {path}: {os.strerror(errno.EROFS)}")

    monkeypatch.setattr("benchmark.utils.atomic_files.open_draft", refuse)
