"""What a file system cannot do is found by trying it."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

import pytest

from benchmark.store.file_system import list_missing_abilities


def test_an_able_file_system_lacks_nothing_and_keeps_nothing(tmp_path: Path) -> None:
    assert list_missing_abilities(tmp_path) == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("module", "name", "number", "line"),
    [
        (os, "link", errno.EPERM, "no hard links (Operation not permitted): new records are made in two steps"),
        (fcntl, "flock", errno.ENOLCK, "folders cannot be locked (No locks available)"),
        (os, "fsync", errno.EINVAL, "files cannot be synchronized to disk (Invalid argument)"),
        (os, "replace", errno.ENOSYS, "files cannot be replaced by renaming (Function not implemented)"),
    ],
)
def test_a_missing_ability_is_named_with_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: object, name: str, number: int, line: str
) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, name, fail)
    (missing,) = list_missing_abilities(tmp_path)
    assert missing.startswith(line)
