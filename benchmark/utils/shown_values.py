"""Values in messages, in the words of the files that they come from."""

from __future__ import annotations

from collections.abc import Mapping

MAX_VALUE_LENGTH = 80


def show_value(value: object) -> str:
    """Return a value as it is written in YAML, on one line and cut off if it is long; texts are in quotes."""
    text = " ".join(_write(value).split())
    return text if len(text) <= MAX_VALUE_LENGTH else f"{text[:MAX_VALUE_LENGTH]}…"


def _write(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_write, value))}]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_write(item)}" for key, item in value.items()) + "}"
    return repr(value)
