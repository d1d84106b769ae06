"""Overrides as people type them."""

from __future__ import annotations

import pytest

from benchmark.core.overrides import parse_overrides


def test_values_are_read_as_yaml() -> None:
    texts = ["sgd.keep_end=0.1", "sam=null", "head={kind: linear}", " name = a=b"]
    assert parse_overrides(texts) == {"sgd.keep_end": 0.1, "sam": None, "head": {"kind": "linear"}, "name": "a=b"}


def test_values_by_key_are_taken_as_they_are() -> None:
    assert parse_overrides({"sgd.keep_end": "0.1"}) == {"sgd.keep_end": "0.1"}


@pytest.mark.parametrize("text", ["sgd", "=3", "sgd={"])
def test_what_is_no_override_is_shown(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}'"):
        parse_overrides([text])
