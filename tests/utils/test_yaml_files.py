"""YAML files: tables and typed values, and one line about files that are neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.yaml_files import read_model, read_table


class Circle(FrozenModel):
    renamed_fields: ClassVar[Mapping[str, str]] = {"size": "radius"}

    name: str
    radius: float


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


def test_a_table_is_read_and_an_empty_file_is_an_empty_table(file: Path) -> None:
    file.write_text("radius: 2\nname: größe\n", encoding="utf-8")
    assert read_table(file, kind="circle") == {"radius": 2, "name": "größe"}
    file.write_text("")
    assert read_table(file, kind="circle") == {}


def test_fields_of_the_file_precede_the_given_ones(file: Path) -> None:
    file.write_text("radius: 2\n")
    assert read_model(Circle, file, kind="circle", name="a") == Circle(name="a", radius=2)
    file.write_text("radius: 2\nname: b\n")
    assert read_model(Circle, file, kind="circle", name="a").name == "b"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1\n", "expected a table (key: value), found a list"),
        (b"radius: [", "expected"),
        (b"radius: \xff\n", "invalid"),
        (b"radius: wide\n", "radius: Input should be a valid number"),
        (b"size: 2\n", "'size' is now called 'radius'"),
    ],
)
def test_a_broken_file_is_named_in_one_line(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_model(Circle, file, kind="circle", name="a")
    text = str(caught.value)
    assert text.startswith(f"{file} is not a valid circle: ") and message in text and "\n" not in text
