"""Overrides as users type them."""

from __future__ import annotations

from typing import Literal

import pytest

from benchmark.core.budget import Budget
from benchmark.core.overrides import apply_overrides, parse_overrides, split_keys
from benchmark.utils.frozen_model import FrozenModel


def test_values_are_read_as_yaml() -> None:
    texts = ["sgd.keep_end=0.1", "sam=null", "head={kind: linear}", " name = a=b"]
    assert parse_overrides(texts) == {"sgd.keep_end": 0.1, "sam": None, "head": {"kind": "linear"}, "name": "a=b"}


def test_values_by_key_stay_unchanged() -> None:
    assert parse_overrides({"sgd.keep_end": "0.1"}) == {"sgd.keep_end": "0.1"}


@pytest.mark.parametrize("text", ["sgd", "=3", "sgd={"])
def test_an_invalid_override_is_quoted(text: str) -> None:
    with pytest.raises(ValueError, match=f"'{text}'"):
        parse_overrides([text])


def test_a_renamed_key_is_answered_with_its_new_name() -> None:
    with pytest.raises(KeyError, match=r"'budget\.shards' is now called 'budget\.micro_batches'"):
        apply_overrides(Budget(), split_keys({"shards": 2}), path=("budget",))


def test_another_kind_of_part_is_given_as_a_whole() -> None:
    class Part(FrozenModel):
        kind: Literal["small"] = "small"

    class Whole(FrozenModel):
        part: Part = Part()

    with pytest.raises(ValueError, match=r"part\.kind='large': expected 'small' here.* as a whole, part=\{kind: …\}"):
        apply_overrides(Whole(), {("part", "kind"): "large"})
    assert apply_overrides(Whole(), {("part", "kind"): "small"}) == Whole()
