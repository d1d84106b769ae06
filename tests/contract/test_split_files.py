"""Watch over split files."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.contract.split_files import watch_split_files


@pytest.mark.parametrize("name", ["mine", "mine@2-s0-00"])
def test_the_file_of_a_split_counts_wherever_it_is_and_so_does_that_of_a_base(tmp_path: Path, name: str) -> None:
    for file in ("mine.yaml", "other.yaml"):
        (tmp_path / file).write_text("")
    with watch_split_files([Path(__file__)], name) as opened:
        for file in ("mine.yaml", "other.yaml"):
            (tmp_path / file).read_text()
    assert [item.name for item in opened] == ["mine.yaml"]
