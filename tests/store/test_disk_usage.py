"""Sizes of files and folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.store.disk_usage import format_size, measure_size


def test_the_size_of_a_folder_is_that_of_all_files_in_it(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "x").write_bytes(b"0" * 30)
    (tmp_path / "a" / "y").write_bytes(b"0" * 12)
    assert (measure_size(tmp_path), measure_size(tmp_path / "a" / "y"), measure_size(tmp_path / "none")) == (42, 12, 0)


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (123456, "123 kB"), (1_340_000_000, "1.3 GB")]
)
def test_sizes_are_printed_in_the_unit_that_fits(size: int, text: str) -> None:
    assert format_size(size) == text
