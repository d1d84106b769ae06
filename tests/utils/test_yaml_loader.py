"""The YAML loader: what plain values mean, and which ones are refused."""

from __future__ import annotations

import math
import re

import pytest

from benchmark.utils.paths import ROOT
from benchmark.utils.yaml_files import parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("On", "On"),
        ("y", "y"),
        ("10:30", "10:30"),
        ("190:20:30", "190:20:30"),
        ("2024-01-01", "2024-01-01"),
        ("1.2.3", "1.2.3"),
        ("08_train", "08_train"),
        ("=", "="),
        ("inf", "inf"),
        ("true", True),
        ("FALSE", False),
        ("~", None),
        ("", None),
        ("10", 10),
        ("-3", -3),
        ("+4", 4),
        ("0", 0),
        ("10_000", 10000),
        ("0x1F", 31),
        ("0o17", 15),
        ("1e-3", 0.001),
        ("1E5", 100000.0),
        ("1.", 1.0),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ('"010"', "010"),
        ("!!str 010", "010"),
    ],
)
def test_a_plain_value_means_what_it_looks_like(text: str, value: object) -> None:
    read = parse_yaml(text)
    assert read == value and type(read) is type(value)


@pytest.mark.parametrize("text", ["010", "08", "-007", "00.5", "01e3", "1_2", "1_0000", "0b11", "0_1"])
def test_a_number_that_readers_take_differently_is_refused_with_its_line(text: str) -> None:
    with pytest.raises(ValueError, match=rf"^line 3: {text} is not read alike everywhere: .* the text '{text}'$"):
        parse_yaml(f"seeds:\n  - 0\n  - {text}\n")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 1\n", "line 3: 'a' is given twice, first in line 1: remove one of them"),
        ("a:\n  b: 1\n  'b': 2\n", "line 3: 'b' is given twice, first in line 2"),
        ("a: [{b: 1, b: 1}]", "line 1: 'b' is given twice"),
        ("a: 1\nnull: 2\n", "line 2: the key null is not a text: put it in quotes"),
        ("[a]: 2\n", "line 1: the key a list or a table is not a text"),
        ("a: !!python/object:os.system x\n", "line 1: the tag !!python/object:os.system is not supported"),
        ("a: 1e999\n", "line 1: '1e999' is too large for a number"),
        ("a: &x [*x]\n", "line 1: an alias .* stands within its own value"),
        ("a: {<<: 3}\n", "line 1: << merges a table or a list of tables"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        parse_yaml(text)


def test_aliases_and_merged_tables_are_read() -> None:
    assert parse_yaml("a: &x {p: 1, q: 1}\nb: *x\nc: {<<: *x, q: 2}\n") == {
        "a": {"p": 1, "q": 1},
        "b": {"p": 1, "q": 1},
        "c": {"p": 1, "q": 2},
    }


def test_a_table_that_is_merged_twice_over_keeps_its_own_values() -> None:
    assert parse_yaml("a: &a {<<: {x: 1}, x: 2}\nb: {<<: *a}\nc: {<<: [{y: 1}, {y: 2}]}\n") == {
        "a": {"x": 2},
        "b": {"x": 2},
        "c": {"y": 1},
    }


def test_aliases_that_multiply_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(ValueError, match=r"^line 1: aliases \(\*\) repeat more than 100000 values"):
        parse_yaml("\n".join(lines))


def test_no_other_module_reads_yaml_with_a_loader_of_its_own() -> None:
    sources = [path for folder in ("benchmark", "methods", "slurm") for path in (ROOT / folder).rglob("*.py")]
    loads = re.compile(r"yaml\.(safe_load|full_load|load|unsafe_load|CSafeLoader|SafeLoader)\b")
    users = {path.name for path in sources if loads.search(path.read_text(encoding="utf-8"))}
    assert users == {"yaml_loader.py", "yaml_files.py"}
