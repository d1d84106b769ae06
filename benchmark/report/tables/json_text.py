"""Values as JSON and csv for programs, the same on every platform."""

from __future__ import annotations

import csv
import json
import math
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pandas import DataFrame

DECIMALS = 6
"""Decimals of numbers in json and csv, so that the last bit of a platform does not show."""


def dump_json(value: Any) -> str:
    """Return indented JSON: floats rounded to `DECIMALS`, null for nan and infinities."""
    return json.dumps(_round_floats(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def format_csv(frame: DataFrame, *, has_header: bool = True) -> str:
    """Return a frame as csv: numbers rounded to `DECIMALS`, nothing for missing values, quotes as in RFC 4180."""
    texts = frame.select_dtypes(exclude="number").astype(str)
    has_returns = any(column.str.contains("\r", regex=False).any() for _, column in texts.items())
    # the minimum of quotes would leave a lone \r without any
    quoting: Literal[0, 2] = csv.QUOTE_NONNUMERIC if has_returns else csv.QUOTE_MINIMAL
    return str(frame.round(DECIMALS).to_csv(index=False, header=has_header, lineterminator="\n", quoting=quoting))


def _round_floats(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _round_floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_round_floats(item) for item in value]
    if isinstance(value, float):
        return round(value, DECIMALS) if math.isfinite(value) else None
    return value
