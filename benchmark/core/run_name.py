"""Readable names of runs: texts that keep every swept value and stay valid, short folder names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

MAX_LENGTH = 80
"""Length of a name from which on words are shortened."""
MAX_SETTING = 60
MAX_WORD = 24
"""Length that a text in a shortened name keeps, from both of its ends."""
HARD_LIMIT = 140
"""Largest length of a name. Only a run with a dozen overrides comes near; its digest tells it apart."""


def make_text(method: str, variant: str, overrides: Mapping[str, Any]) -> str:
    """Return method, variant and overrides as one text of a-z, 0-9, "." and "=" joined by "-".

    Of a long name, the keys of overrides lose their parents first, then long words their middle, then keys their
    beginning; no value of an override is left out.

    Args:
        method: Name of the method.
        variant: Label of the variant.
        overrides: Values by dotted key.
    """
    items = [(key, format_value(value)) for key, value in sorted(overrides.items())]
    short = [(key.rpartition(".")[2], value) for key, value in items]
    shorter = [(key, _cut(value, MAX_WORD)) for key, value in short]
    candidates = [
        _join([method, variant], items),
        _join([method, variant], short),
        _join([_cut(method, MAX_WORD), _cut(variant, MAX_WORD)], shorter),
        _join([_cut(method, 12), _cut(variant, 12)], [(key[:4], _cut(value, 12)) for key, value in shorter]),
    ]
    fitting = [text for text in candidates if len(text) <= MAX_LENGTH]
    return fitting[0] if fitting else candidates[-1][:HARD_LIMIT].strip("-")


def make_setting(split: str, protocol: str) -> str:
    """Return split and protocol as a text of a folder name; the protocol "plain" is not named."""
    names = [split] if protocol == "plain" else [split, protocol]
    return _cut(re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(names)), MAX_SETTING)


def format_changes(overrides: Mapping[str, Any]) -> str:
    """Return overrides for a label, sorted by key: "budget.iterations=20, clip.weights=w.pt"."""
    return ", ".join(f"{key}={format_value(value)}" for key, value in sorted(overrides.items()))


def format_value(value: Any) -> str:
    """Return the value of an override as a text; of a path, the name of the file."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {format_value(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(format_value, value)) + "]"
    return value.rstrip("/").rpartition("/")[2] if isinstance(value, str) else str(value)


def _join(words: Sequence[str], items: Sequence[tuple[str, str]]) -> str:
    text = "-".join([*words, *(f"{key}={value}" for key, value in items)])
    return re.sub(r"[^a-z0-9.=]+", "-", text.lower()).strip("-")


def _cut(text: str, length: int) -> str:
    """Return a text without its middle if it is longer than allowed."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}-{text[-half:]}"
