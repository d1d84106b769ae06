"""Numbers that are written as numbers, wherever they are in a value."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import Field, ValidationError

from benchmark.utils.frozen_model import FrozenModel


class Part(FrozenModel):
    """A part with a number."""

    size: float = 1.0


class Numbers(FrozenModel):
    """Numbers in all places."""

    count: int = Field(default=1, ge=0)
    maybe: float | None = None
    many: tuple[int, ...] = ()
    by_key: dict[int, float] = Field(default_factory=dict)
    either: int | str = 1
    part: Part = Part()


@pytest.mark.parametrize("value", [True, False, "20", "1_000", "1e-4"])
@pytest.mark.parametrize("name", ["count", "maybe", "many", "by_key", "part"])
def test_neither_true_nor_a_text_is_a_number(name: str, value: object) -> None:
    given: Any = {"many": [value], "by_key": {1: value}, "part": {"size": value}}.get(name, value)
    with pytest.raises(ValidationError, match="Input should be a valid"):
        Numbers.model_validate({name: given})


def test_whole_numbers_are_numbers_and_texts_stay_texts() -> None:
    numbers = Numbers.model_validate({"maybe": 2, "count": 3.0, "either": "5", "part": {"size": 2}})
    assert (numbers.maybe, numbers.count, numbers.either, numbers.part.size) == (2.0, 3, "5", 2.0)


def test_a_value_is_read_back_from_json_and_from_its_fields() -> None:
    numbers = Numbers(by_key={1: 2.0}, many=(1, 2), maybe=0.5)
    assert Numbers.model_validate_json(numbers.model_dump_json()) == numbers
    assert Numbers.model_validate(numbers.model_dump(mode="json")) == numbers
