"""Files that appear whole or not at all, also on file systems that lack links, locks or synchronization."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmark.utils import lock
from benchmark.utils.atomic_files import write_new, write_text
from benchmark.utils.lock import BusyError, Owner, find_owner, hold_lock, identify_this_process


def lack(monkeypatch: pytest.MonkeyPatch, module: object, name: str, number: int) -> None:
    """Let a system call fail as on a file system that lacks it."""

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(module, name, fail)


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK])
def test_without_hard_links_one_of_many_writers_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lack(monkeypatch, os, "link", number)

    def write(text: str) -> str:
        try:
            write_new(tmp_path / "new" / "record.json", text)
        except FileExistsError:
            return ""
        return text

    with ThreadPoolExecutor(8) as writers:
        written = list(writers.map(write, "abcdefgh"))
    assert (tmp_path / "new" / "record.json").read_text() == "".join(written) != ""
    assert os.listdir(tmp_path / "new") == ["record.json"]


def test_without_hard_links_an_empty_file_of_a_dead_writer_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack(monkeypatch, os, "link", errno.EPERM)
    path = tmp_path / "record.json"
    path.touch()
    with pytest.raises(FileExistsError, match="another process wrote it"):
        write_new(path, "now")
    os.utime(path, (time.time() - 60,) * 2)
    write_new(path, "later")
    assert path.read_text() == "later"


def test_other_errors_of_links_are_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lack(monkeypatch, os, "link", errno.EIO)
    with pytest.raises(OSError, match="Input/output error; no part of it was left behind"):
        write_new(tmp_path / "new.json", "text")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP])
def test_files_are_written_without_synchronization(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lack(monkeypatch, os, "fsync", number)
    write_text(tmp_path / "text", "a")
    write_new(tmp_path / "new", "b")
    assert (tmp_path / "text").read_text() + (tmp_path / "new").read_text() == "ab"


def test_a_full_disk_at_synchronization_is_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "text", "old")
    lack(monkeypatch, os, "fsync", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left on device; its old content is intact"):
        write_text(tmp_path / "text", "new")
    assert os.listdir(tmp_path) == ["text"]


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EBADF, errno.ENOTSUP])
def test_without_locks_of_folders_the_lock_of_a_dead_process_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    lack(monkeypatch, fcntl, "flock", number)
    monkeypatch.setattr(lock, "SETTLING_S", 0.01)
    dead = identify_this_process().model_copy(update={"pid": 2**22 + 1})
    (tmp_path / "lock").write_text(dead.canonical())
    with hold_lock(tmp_path):
        assert find_owner(tmp_path) == identify_this_process()


def test_without_locks_of_folders_the_last_of_two_takes_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lack(monkeypatch, fcntl, "flock", errno.ENOLCK)
    (tmp_path / "lock").write_text(Owner(pid=2**22 + 1, host=identify_this_process().host).canonical())
    other = Owner(pid=os.getppid(), host=identify_this_process().host)
    monkeypatch.setattr(time, "sleep", lambda _: (tmp_path / "lock").write_text(other.canonical()))
    with pytest.raises(BusyError, match="another process just started"), hold_lock(tmp_path):
        pass
    assert find_owner(tmp_path) == other


def test_a_full_disk_leaves_no_empty_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lack(monkeypatch, os, "fdopen", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"), hold_lock(tmp_path):
        pass
    assert os.listdir(tmp_path) == []


def test_a_read_only_file_system_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lack(monkeypatch, os, "unlink", errno.EROFS)
    lack(monkeypatch, Path, "write_text", errno.EROFS)
    for write in (write_text, write_new):
        with pytest.raises(
            OSError, match=r"cannot write .*plan.json: Read-only file system; no part of it was left behind"
        ):
            write(tmp_path / "plan.json", "text")
