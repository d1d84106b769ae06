from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.utils.source_digests import digest_files
from benchmark.utils.source_files import read_source


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CHIMERA_BENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "source_digests"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "code.py"
    path.write_text("x = 1\n")
    return path


def test_a_digest_is_that_of_the_syntax_tree_also_when_it_is_remembered(file: Path, table: Path) -> None:
    expected = {file: read_source(file).digest}
    assert digest_files([file]) == expected
    assert table.is_file()
    assert digest_files([file]) == expected


def test_a_file_that_was_changed_with_its_size_and_time_kept_has_another_digest(file: Path, table: Path) -> None:
    before = digest_files([file])
    file.write_text("x = 2\n")
    assert digest_files([file]) != before


@pytest.mark.parametrize("content", ["", "no checksum", "0\n{}", '0\n{"a": "b"}'])
def test_a_broken_table_is_ignored_and_replaced(file: Path, table: Path, content: str) -> None:
    expected = digest_files([file])
    whole = table.read_text()
    table.write_text(content)
    assert digest_files([file]) == expected
    assert table.read_text() == whole


def test_a_table_whose_digest_was_changed_by_hand_is_ignored(file: Path, table: Path) -> None:
    expected = digest_files([file])
    table.write_text(table.read_text().replace(expected[file], "0" * 64))
    assert digest_files([file]) == expected


def test_a_cache_that_is_no_folder_costs_nothing_but_time(file: Path, table: Path) -> None:
    table.parent.write_text("")
    assert digest_files([file]) == {file: read_source(file).digest}
