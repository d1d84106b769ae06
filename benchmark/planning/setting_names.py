"""Names of the settings that overrides may change: fields of the config, of the budget and of the protocol."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches

from benchmark.utils.frozen_model import FrozenModel

CUTOFF = 0.7
"""Least similarity of a suggestion, from 0 to 1."""


def check_setting_names(overrides: Iterable[str], parts: Mapping[str, FrozenModel]) -> None:
    """Check that every override begins with a field of the config or with the prefix of another part.

    Args:
        overrides: Dotted keys.
        parts: Values by the prefix of their keys; the config has the prefix "".

    Raises:
        KeyError: An override does not; the message names the nearest setting of all parts.
    """
    config = type(parts[""])
    for key in overrides:
        first = key.partition(".")[0]
        is_in_config = first in config.model_fields or first in config.renamed_fields
        if not is_in_config and not any(prefix and key.startswith(prefix) for prefix in parts):
            raise KeyError(_explain_unknown_setting(key, parts))


def _explain_unknown_setting(key: str, parts: Mapping[str, FrozenModel]) -> str:
    names = [name for prefix, part in parts.items() for name in _list_names(part, prefix)]
    by_last = {name.rpartition(".")[2]: name for name in reversed(names)}
    near = get_close_matches(key, names, n=1, cutoff=CUTOFF)
    near += [by_last[last] for last in get_close_matches(key.rpartition(".")[2], by_last, n=1, cutoff=CUTOFF)]
    hint = f"; did you mean {near[0]!r}?" if near else "."
    shown = [*type(parts[""]).model_fields, *(f"{prefix}FIELD" for prefix in parts if prefix)]
    return f"no setting {key!r}{hint} There are: {', '.join(shown)}"


def _list_names(part: FrozenModel, prefix: str) -> Iterator[str]:
    """Yield the dotted names of all fields of a value and of the values within it."""
    for name in type(part).model_fields:
        yield prefix + name
        value = getattr(part, name)
        if isinstance(value, FrozenModel):
            yield from _list_names(value, f"{prefix}{name}.")
