"""Errors of validation in the words of files and options: no wording of pydantic is left."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import Discriminator, Field, Tag, ValidationError, model_validator
from pydantic_core import InitErrorDetails
from pydantic_core._pydantic_core import list_all_errors
from pydantic_core.core_schema import ErrorType

from benchmark.utils.frozen_model import FrozenModel
from benchmark.utils.validation_errors import EXPECTATIONS, STATEMENTS, describe_errors, describe_first_error

OWN_TEXT = {"value_error", "assertion_error"}
"""Types whose text is that of a validator."""
FOREIGN = (
    "Input",
    "Value error",
    "Field required",
    "Extra",
    "validation error",
    "Assertion failed",
    "should",
    "valid ",
)


class Sun(FrozenModel):
    """One member of a union."""

    kind: Literal["sun"] = "sun"
    hours: float = Field(default=1, ge=0, le=24)


class Rain(FrozenModel):
    """Another member."""

    kind: Literal["rain"] = "rain"
    drops: int = Field(default=1, multiple_of=2)


class Inner(FrozenModel):
    """A part with a validator."""

    low: int = 0
    high: int = 1

    @model_validator(mode="after")
    def _check(self) -> Inner:
        if self.low > self.high:
            raise ValueError(f"low={self.low} is above high={self.high}")
        if self.low < 0:
            raise AssertionError("low is negative")
        return self


class Outer(FrozenModel):
    """A value with all kinds of fields that files of this project have."""

    count: int = 1
    ratio: float = Field(default=0.5, gt=0)
    name: str = Field(default="a", pattern="^[a-z]+$")
    is_on: bool = True
    names: tuple[str, ...] = Field(default=("a",), min_length=1)
    pair: tuple[int, int] = (1, 2)
    table: dict[str, int] = Field(default_factory=dict)
    either: int | tuple[str, ...] = 1
    weather: Annotated[Sun | Rain, Field(discriminator="kind")] = Sun()
    tagged: Annotated[Annotated[Sun, Tag("s")] | Annotated[Rain, Tag("r")], Discriminator(lambda _: "s")] = Sun()
    inner: Inner = Inner()
    maybe: Inner | None = None


def explain(kind: type[FrozenModel] = Outer, **fields: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        kind.model_validate(fields)
    return describe_errors(caught.value, kind)


@pytest.mark.parametrize("error", list_all_errors(), ids=lambda error: error["type"])
def test_every_error_type_of_pydantic_has_words_of_ours(error: dict[str, Any]) -> None:
    context = error["example_context"] or {}
    context = {"error": ValueError("a reason")} if error["type"] in OWN_TEXT else context
    details = InitErrorDetails(type=error["type"], loc=("key",), input="given", ctx=context)
    text = describe_first_error(ValidationError.from_exception_data("Title", [details]))
    assert error["type"] in EXPECTATIONS.keys() | STATEMENTS.keys() | OWN_TEXT
    assert text.startswith("key") and not any(word in text for word in FOREIGN) and "\n" not in text


def test_no_unknown_error_type_has_words() -> None:
    assert EXPECTATIONS.keys() | STATEMENTS.keys() | OWN_TEXT == set(get_args(ErrorType))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": "many"}, "count='many': expected a whole number"),
        ({"count": 1.5}, "count=1.5: expected a whole number"),
        ({"ratio": 0}, "ratio=0: expected a number above 0.0"),
        ({"ratio": math.nan}, "ratio=nan: expected a finite number"),
        ({"ratio": math.inf}, "ratio=inf: expected a finite number"),
        ({"ratio": None}, "ratio=null: expected a number"),
        ({"name": "A"}, "name='A': expected a text that matches ^[a-z]+$"),
        ({"name": 3}, "name=3: expected a text"),
        ({"is_on": "perhaps"}, "is_on='perhaps': expected true or false"),
        ({"names": []}, "names: expected 1 or more entries, found 0"),
        ({"names": "abc"}, "names='abc': expected a list"),
        ({"names": ["a", 2]}, "names.1=2: expected a text"),
        ({"pair": [1, 2, 3]}, "pair: expected 2 or fewer entries, found 3"),
        ({"pair": [1]}, "pair.1 is missing"),
        ({"table": [1]}, "table: expected a table (key: value)"),
        ({"table": {"int": "x"}}, "table.int='x': expected a whole number"),
        ({"either": "x"}, "either='x': expected a whole number or a list"),
        ({"weather": {"kind": "snow"}}, "weather: expected a table whose 'kind' is 'sun', 'rain', found 'snow'"),
        ({"weather": {}}, "weather: expected a table with the field 'kind'"),
        ({"weather": {"kind": "sun", "hours": 25}}, "weather.hours=25: expected a number of at most 24.0"),
        ({"weather": {"kind": "rain", "drops": 3}}, "weather.drops=3: expected a multiple of 2"),
        ({"tagged": {"hours": -1}}, "tagged.hours=-1: expected a number of at least 0.0"),
        ({"inner": {"low": 2}}, "inner: low=2 is above high=1"),
        ({"inner": {"low": -1}}, "inner: low is negative"),
        ({"inner": {"hihg": 2}}, "no field 'inner.hihg'; did you mean 'inner.high'? There are: inner.high, inner.low"),
        (
            {"count": "a", "nmae": "b"},
            "no field 'nmae'; did you mean 'name'? There are: count, either, inner, is_on, maybe, name, names, pair, "
            "ratio, table, tagged, weather; count='a': expected a whole number",
        ),
        ({"maybe": {"low": "x"}}, "maybe.low='x': expected a whole number"),
        ({"inner": 3}, "inner=3: expected a table of fields (key: value)"),
        ({"count": "a", "is_on": 7}, "count='a': expected a whole number; is_on=7: expected true or false"),
    ],
)
def test_a_problem_is_said_with_the_key_and_what_was_expected(fields: dict[str, Any], message: str) -> None:
    assert explain(**fields) == message


def test_without_the_type_labels_of_unions_are_left_out() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"either": "x"})
    assert describe_first_error(caught.value) == "either='x': expected a whole number or a list"


def test_a_path_that_the_type_does_not_have_is_kept() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate({"count": "x"})
    assert describe_first_error(caught.value, Sun) == "count='x': expected a whole number"


def test_a_long_value_is_cut() -> None:
    assert explain(count="x" * 500).startswith("count='" + "x" * 79 + "…: ")


def test_a_path_within_a_larger_value_comes_first() -> None:
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate({"low": "x"})
    assert describe_errors(caught.value, Inner, path=("budget",)) == "budget.low='x': expected a whole number"


def test_json_that_cannot_be_read_is_named_without_its_content() -> None:
    with pytest.raises(ValidationError) as caught:
        Outer.model_validate_json('{"count": 1')
    assert describe_first_error(caught.value, Outer).startswith("expected JSON (EOF while parsing an object at line 1")
