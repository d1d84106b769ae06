"""Cached arrays: whole or absent, and never the reason for a failure."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmark.utils.array_cache import load_arrays, save_arrays

ARRAYS = {"numbers": np.arange(250, dtype=np.uint8)}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_saved_arrays_are_loaded(folder: Path) -> None:
    assert load_arrays("a") is None
    assert save_arrays("a", ARRAYS)
    arrays = load_arrays("a")
    assert arrays is not None and arrays["numbers"].tolist() == ARRAYS["numbers"].tolist()
    assert [path.name for path in folder.iterdir()] == ["a.arrays"]


@pytest.mark.parametrize("keep_bytes", [0, 10, 32, 100, -1])
def test_a_truncated_file_is_treated_as_absent(folder: Path, keep_bytes: int, caplog: pytest.LogCaptureFixture) -> None:
    save_arrays("a", ARRAYS)
    path = folder / "a.arrays"
    path.write_bytes(path.read_bytes()[:keep_bytes])
    assert load_arrays("a") is None and "is broken" in caplog.text


def test_one_wrong_bit_is_noticed(folder: Path) -> None:
    save_arrays("a", ARRAYS)
    content = bytearray((folder / "a.arrays").read_bytes())
    content[150] ^= 1
    (folder / "a.arrays").write_bytes(content)
    assert load_arrays("a") is None


def test_a_folder_that_cannot_be_created_causes_a_warning(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder.write_text("in the way")
    assert not save_arrays("a", ARRAYS) and "CHIMERA_BENCH_CACHE" in caplog.text
    assert load_arrays("a") is None


def test_a_full_disk_causes_a_warning_and_leaves_no_draft(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert not save_arrays("a", ARRAYS) and "No space left" in caplog.text
    assert list(folder.iterdir()) == []
