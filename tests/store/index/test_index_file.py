"""Files of the index are whole or absent, also with several writers at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from benchmark.store.index.index_file import read_index_file, write_index_file
from benchmark.utils import atomic_files

TEXTS = [str(number) * 50_000 for number in range(4)]


def test_a_reader_finds_one_of_several_texts_while_all_are_written(tmp_path: Path) -> None:
    path = tmp_path / "index" / "file"
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(write_index_file, path, text, max_bytes=2**20) for text in TEXTS * 5]
        found = {read_index_file(path) for _ in range(200)}
    assert all(writer.exception() is None for writer in writers)
    assert found <= {None, *TEXTS} and read_index_file(path) in TEXTS
    assert [file.name for file in path.parent.iterdir()] == ["file"]


def test_a_full_disk_costs_the_index_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    path = tmp_path / "file"
    write_index_file(path, "old", max_bytes=100)
    monkeypatch.setattr(atomic_files, "_flush", fail)
    write_index_file(path, "new", max_bytes=100)
    assert read_index_file(path) == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_would_be_too_large_is_not_written(tmp_path: Path) -> None:
    write_index_file(tmp_path / "file", "text", max_bytes=10)
    assert read_index_file(tmp_path / "file") is None
