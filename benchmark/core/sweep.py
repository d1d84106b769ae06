"""Sweeps: lists of values by key, and the rows that all combinations of these values give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product
from math import prod
from typing import Annotated, Any

from pydantic import BeforeValidator

from benchmark.utils.frozen_model import format_canonical_json
from benchmark.utils.shown_values import show_value

ROW_KEYS = ("method", "split", "protocol")
"""Keys of a sweep that are fields of a row; all others are dotted keys of overrides."""
OTHER_KEYS = {
    "seed": "give seeds: [0, 1, 2]",
    "seeds": "give seeds: [0, 1, 2]",
    "splits": "as a key of a sweep it is called split",
    "engine": "write a study for each engine",
    "max_images": "it is the same for all rows",
}
"""Fields of a study that cannot be swept, and what to do instead."""


def _check_sweep(sweep: object) -> object:
    """Check the form of a sweep as it stands in a file.

    Raises:
        ValueError: The sweep is not a table of lists of different values.
    """
    if not isinstance(sweep, Mapping) or not sweep:
        raise ValueError("a sweep is a table of lists of values, such as sweep: {sgd.weight: [0.5, 1, 2]}")
    for key, values in sweep.items():
        check_values(str(key), values)
    return {str(key): tuple(values) for key, values in sweep.items()}


def check_values(key: str, values: object) -> None:
    """Check the values of one key of a sweep.

    Raises:
        ValueError: The key cannot be swept, or the values are no list of different values.
    """
    if key in OTHER_KEYS:
        raise ValueError(f"{key} cannot be swept: {OTHER_KEYS[key]}")
    if not isinstance(values, list | tuple):
        raise ValueError(
            f"the sweep of {key} is one value, {show_value(values)}: give a list, {key}: [{show_value(values)}, …]"
        )
    if not values:
        raise ValueError(f"the sweep of {key} has no values: give some, or remove it")
    if key in ROW_KEYS and not all(isinstance(value, str) and value for value in values):
        raise ValueError(f"the sweep of {key} has a value that is not a name: {show_value(values)}")
    texts = [format_canonical_json(value) for value in values]
    again = next((text for text in texts if texts.count(text) > 1), None)
    if again is not None:
        raise ValueError(f"the sweep of {key} has {again} twice")


Sweep = Annotated[dict[str, tuple[Any, ...]], BeforeValidator(_check_sweep)]
"""Values by dotted key, or by `method`, `split` or `protocol`."""


def combine(sweep: Mapping[str, tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """Yield every combination of one value per key; those of the last key change fastest."""
    return (dict(zip(sweep, values, strict=True)) for values in product(*sweep.values()))


def count_combinations(sweep: Mapping[str, tuple[Any, ...]]) -> int:
    """Return the number of combinations."""
    return prod(len(values) for values in sweep.values())
