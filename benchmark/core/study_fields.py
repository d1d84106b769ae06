"""Fields that a study and its rows share."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BeforeValidator, Field, StrictInt, model_validator

from benchmark.utils.frozen_model import FrozenModel


def _wrap_text(value: object) -> object:
    if not isinstance(value, str | list | tuple):
        raise ValueError("expected a name or a list of names")
    return (value,) if isinstance(value, str) else value


def check_name(name: str) -> str:
    """Check the name of a study.

    Raises:
        ValueError: The name is no valid name of a file.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.=+-]*", name):
        raise ValueError("expected letters, digits and _ . = + -, the first a letter or digit")
    return name


def _check_seeds(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if min(seeds, default=0) < 0:
        raise ValueError(f"{min(seeds)} is negative: give seeds from 0")
    _refuse_repeated(seeds)
    return seeds


def _check_splits(splits: tuple[str, ...]) -> tuple[str, ...]:
    _refuse_repeated(splits)
    return splits


def _refuse_repeated(items: Sequence[object]) -> None:
    again = next((item for item, count in Counter(items).items() if count > 1), None)
    if again is not None:
        raise ValueError(f"{again} is given more than once: remove it")


def _check_not_blank(text: str) -> str:
    if not text.strip():
        raise ValueError("the text is blank: write one, or leave the field out")
    return text


Splits = Annotated[tuple[str, ...], BeforeValidator(_wrap_text), AfterValidator(_check_splits)]
"""Names or paths of splits, given as one text or as a list."""
Seeds = Annotated[tuple[StrictInt, ...], AfterValidator(_check_seeds)]
Text = Annotated[str, AfterValidator(_check_not_blank)]
"""A text that is not blank where it is given; a default may be empty."""


class SplitChoice(FrozenModel):
    """Part of a study that may name splits.

    Attributes:
        split: Names or paths of splits; `splits` is read as well.
    """

    split: Splits = Field(default=(), validation_alias=AliasChoices("split", "splits"))

    @model_validator(mode="before")
    @classmethod
    def _refuse_both_words(cls, fields: Any) -> Any:
        if isinstance(fields, Mapping) and {"split", "splits"} <= set(fields):
            raise ValueError("both split and splits are given: put all into one list")
        return fields
