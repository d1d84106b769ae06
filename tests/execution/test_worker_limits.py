"""Limits of a machine that worker processes meet."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmark.execution import worker_limits
from benchmark.execution.worker_limits import list_worker_limits


@pytest.fixture
def ample(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A machine without low limits."""
    monkeypatch.setattr(tempfile, "gettempdir", lambda: "/tmp")
    monkeypatch.setattr(resource, "getrlimit", lambda _: (4096, 4096))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=2**30))
    return monkeypatch


def test_an_ample_machine_has_no_low_limit(ample: pytest.MonkeyPatch) -> None:
    assert list(list_worker_limits()) == []


def test_a_long_tmpdir_is_named_with_the_longest_that_fits(ample: pytest.MonkeyPatch) -> None:
    ample.setattr(tempfile, "gettempdir", lambda: "/" + "t" * 146)
    (line,) = list_worker_limits()
    assert line.startswith("TMPDIR has 147 characters") and line.endswith("of up to 75")
    ample.setattr(tempfile, "gettempdir", lambda: "/" + "t" * 74)
    assert list(list_worker_limits()) == []


def test_no_temporary_folder_is_named(ample: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    ample.setattr(tempfile, "gettempdir", fail)
    assert list(list_worker_limits()) == ["no folder for temporary files can be written to: set TMPDIR to one"]


def test_few_open_files_and_little_shared_memory_are_named(ample: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ample.setattr(resource, "getrlimit", lambda _: (64, 64))
    ample.setattr(worker_limits, "SHARED_MEMORY", tmp_path)
    ample.setattr("shutil.disk_usage", lambda _: SimpleNamespace(total=2**20))
    memory, files = list_worker_limits()
    assert memory.startswith(f"{tmp_path} holds 1 MB") and files.startswith("64 open files allowed (ulimit -n)")


def test_missing_semaphores_are_named(ample: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise OSError(28, "No space left on device")

    ample.setattr(multiprocessing, "Lock", fail)
    (line,) = list_worker_limits()
    assert line.startswith("semaphores cannot be made in /dev/shm (No space left on device)")
