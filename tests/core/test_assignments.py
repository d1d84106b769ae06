"""Assignments as users type them: single values keep their meaning, commas outside brackets and quotes sweep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark.core.assignments import parse_assignments

TEXTS = st.text("ab, :#'\"[]{}-&*!|>%@`=\\", max_size=8)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a=1", 1),
        ("a=1e-3", 0.001),
        ("a=null", None),
        ("a=[1,2]", [1, 2]),
        ("a={config: x, decoder: fpn}", {"config": "x", "decoder": "fpn"}),
        ('a="one, two"', "one, two"),
        ("a='1,2'", "1,2"),
        ("a=b=c", "b=c"),
        ("a=x[1]", "x[1]"),
        ("a=x: 1", {"x": 1}),
        ("a={x: 1, y}", {"x": 1, "y": None}),
    ],
)
def test_one_value_is_an_override(text: str, value: Any) -> None:
    assert parse_assignments([text]) == ({"a": value}, {})


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=0.5,1,2", (0.5, 1, 2)),
        ("a=0.5, 1", (0.5, 1)),
        ("a=null,true,x", (None, True, "x")),
        ("a=[1,2],[3,4]", ([1, 2], [3, 4])),
        ("a={k: 1, l: 2}, null", ({"k": 1, "l": 2}, None)),
        ('a="x, y",z', ("x, y", "z")),
        ("a=d2:x.yaml,d2:y.yaml", ("d2:x.yaml", "d2:y.yaml")),
    ],
)
def test_values_between_commas_are_a_sweep(text: str, values: tuple[Any, ...]) -> None:
    assert parse_assignments([text, "b=3"]) == ({"b": 3}, {"a": values})


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["a=x, y"], "'a=x, y' may be one text or a sweep of 2 values: put a text in quotes"),
        (["a=1,,2"], "'a=1,,2' cannot be split at its commas"),
        (["a=1,"], "'a=1,' has no value after its last comma"),
        (["a=x: 1, y"], "may be one table or several values: put a table in braces, 'KEY={x: 1, y}'"),
        (["a=photo of {}, x"], "cannot be split at its commas: put a text in quotes"),
        (["a=1,1"], "the sweep of a has 1 twice"),
        (["a=1,010"], "cannot be split at its commas"),
        (["a=010"], "'a=010': the value cannot be read as YAML: 010 is not read alike everywhere"),
        (["a=1", "a=2"], "a is set twice: to sweep it, write all values in one, a=VALUE,VALUE"),
        (["a=1,2", "a=3"], "a is set twice"),
        (["split=x,y"], "'split=x,y': split is no setting of a method; use instead: --split"),
        (["a"], "'a' is not KEY=VALUE"),
    ],
)
def test_what_has_no_or_two_meanings_is_refused(texts: list[str], message: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_assignments(texts)
    assert message in str(caught.value)


def test_the_path_of_an_existing_file_is_one_value(tmp_path: Path) -> None:
    path = tmp_path / "a,b.pt"
    path.touch()
    assert parse_assignments([f"w={path}"]) == ({"w": str(path)}, {})


@given(st.lists(JSON, min_size=1, max_size=4, unique_by=json.dumps))
def test_json_values_are_read_back_alone_and_between_commas(values: list[Any]) -> None:
    overrides, sweep = parse_assignments([f"a={','.join(json.dumps(value, ensure_ascii=False) for value in values)}"])
    assert (overrides, sweep) == (({"a": values[0]}, {}) if len(values) == 1 else ({}, {"a": tuple(values)}))
