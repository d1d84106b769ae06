"""YAML files: tables and typed values, and one line about files that are neither."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.yaml_files import format_table, read_model, read_table


class Circle(FrozenModel):
    renamed_fields: ClassVar[Mapping[str, str]] = {"size": "radius"}

    name: str
    radius: float


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "a.yaml"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_table_is_read_with_any_line_ends_and_a_byte_order_mark(file: Path, encoding: str, newline: str) -> None:
    file.write_bytes(f"radius: 2{newline}name: größe{newline}".encode(encoding))
    assert read_table(file, kind="circle") == {"radius": 2, "name": "größe"}


def test_fields_of_the_file_precede_the_given_ones(file: Path) -> None:
    file.write_text("radius: 2\n")
    assert read_model(Circle, file, kind="circle", name="a") == Circle(name="a", radius=2)
    file.write_text("radius: 2\nname: b\n")
    assert read_model(Circle, file, kind="circle", name="a").name == "b"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"- 1\n", "expected a table (key: value), found a list"),
        (b"", "the file is empty"),
        (b"# radius: 1\n", "the file is empty"),
        (b"radius: [", "close brackets and braces"),
        (b"radius: 1\nname: \xe9\n", "line 2: byte 0xe9 is not UTF-8: save the file as UTF-8"),
        (b"\xff\xfer\x00", "line 1: byte 0xff is not UTF-8"),
        (b"radius: 1\n\tname: x\n", "line 2: a tab: indent with spaces"),
        (b"radius:\n\t2\n", "line 2: a tab"),
        (b"radius: 1\n---\nradius: 2\n", "line 2: a second document (---) begins here"),
        (b"radius: 1\nname: a\nradius: 2\n", "line 3: 'radius' is given twice, first in line 1"),
        (b"name: null\nradius: 1\n", "line 1: name=null: expected a text; put it in quotes"),
        (b"radius: 1\nname:\n- x\n- y\n", "line 2: name: expected a text"),
        (b"radius: \x00\n", "a control character"),
        (b"radius: *r\n", "line 1: an alias (*) without its anchor (&)"),
        (b"name: a: b\n", "line 1: a colon that begins no value here"),
        (b"[" * 3000, "nested too deeply"),
        (b"radius: wide\n", "radius='wide': expected a number"),
        (b"size: 2\n", "'size' is now called 'radius'"),
    ],
)
def test_a_broken_file_is_named_in_one_line(file: Path, content: bytes, message: str) -> None:
    file.write_bytes(content)
    with pytest.raises(ValueError) as caught:
        read_model(Circle, file, kind="circle", name="a")
    text = str(caught.value)
    assert text.startswith(f"{file} is not a valid circle: ") and message in text and "\n" not in text


def test_a_written_table_is_read_back_as_it_was(file: Path) -> None:
    texts = [
        "1e-3",
        "1e3",
        "no",
        "on",
        "0x1F",
        "10:30",
        "2024-01-01",
        "~",
        "",
        "012",
        "1_000",
        "größe",
        "a: b",
        "- c",
        "&a",
    ]
    values: list[object] = [1e-5, 1e-3, 0.5, 10, -3, True, None, 1e20, [], {}]
    table = {"texts": texts, "values": values, **{text: text for text in texts if text}, "again": [values, values]}
    file.write_text(format_table(table), encoding="utf-8")
    assert read_table(file, kind="table") == table
