"""Readable names of runs: texts that keep every swept value and stay valid, short folder names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

MAX_LENGTH = 80
"""Length of a name from which on words are shortened."""
MAX_SETTING = 60
MAX_WORD = 24
"""Length that a text in a shortened name keeps, from both of its ends."""
HARD_LIMIT = 140
"""Largest length of a name. Only a run with a dozen overrides comes near; its digest tells it apart."""
LENGTHS = ((HARD_LIMIT, HARD_LIMIT), (MAX_WORD, HARD_LIMIT), (MAX_WORD, 12), (12, 4))
"""Largest lengths of texts and of keys in names; the first that give a short name are taken."""


def make_text(method: str, variant: str, overrides: Mapping[str, Any]) -> str:
    """Return method, variant and overrides as one text of a-z, 0-9, "." and "=" joined by "-".

    Of a long name, the keys of overrides lose their parents first, then long texts their middle, then keys their end.
    Numbers stay whole. Overrides that are tables are named by the values in them. Only if a name is still too long are
    values left out, texts first.

    Args:
        method: Name of the method.
        variant: Label of the variant.
        overrides: Values by dotted key.
    """
    items = [item for key, value in sorted(overrides.items()) for item in _list_leaves(key, value)]
    text = _join([method, variant], [(key, format_value(value)) for key, value in items])
    for longest_word, longest_key in LENGTHS:
        if len(text) <= MAX_LENGTH:
            return text
        short = [(key.rpartition(".")[2][:longest_key], _cut_texts(value, longest_word)) for key, value in items]
        head = [_cut(word, longest_word) for word in (method, variant)]
        text = _join(head, short)
    is_number = {item: _is_number(value) for item, (_, value) in zip(short, items, strict=True)}
    for item in sorted(short, key=lambda item: (is_number[item], -len("=".join(item)))):
        if len(text) <= HARD_LIMIT:
            break
        short.remove(item)
        text = _join(head, short)
    return text


def make_setting(split: str, protocol: str) -> str:
    """Return split and protocol as a text of a folder name; the protocol "plain" is not named."""
    names = [split] if protocol == "plain" else [split, protocol]
    return _cut(re.sub(r"[^A-Za-z0-9._]+", "-", "-".join(names)), MAX_SETTING)


def format_changes(overrides: Mapping[str, Any], *, num_parts: int | None = None) -> str:
    """Return overrides for a label, sorted by key: "budget.iterations=20, clip.weights=a/w.pt, head.norm=null".

    Args:
        overrides: Values by dotted key.
        num_parts: Last parts of a path to keep; None for all.
    """
    texts = {
        key: "null" if value is None else format_value(value, num_parts=num_parts) for key, value in overrides.items()
    }
    return ", ".join(f"{key}={text}" for key, text in sorted(texts.items()))


def format_value(value: Any, *, num_parts: int | None = 1) -> str:
    """Return the value of an override as a text.

    Args:
        value: Value, which may be a table or a list.
        num_parts: Number of the last parts of a path to show; None for the path as given.
    """
    if isinstance(value, Mapping):
        items = (f"{key}: {format_value(item, num_parts=num_parts)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(format_value(item, num_parts=num_parts) for item in value) + "]"
    if not isinstance(value, str) or num_parts is None:
        return str(value)
    return "/".join(value.rstrip("/").split("/")[-num_parts:])


def _list_leaves(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the values within an override, with dotted keys; a list without tables is one value."""
    if isinstance(value, Mapping) and value:
        for name, item in value.items():
            yield from _list_leaves(f"{key}.{name}", item)
    elif isinstance(value, list | tuple) and any(isinstance(item, Mapping | list | tuple) for item in value):
        for number, item in enumerate(value):
            yield from _list_leaves(f"{key}.{number}", item)
    else:
        yield key, value


def _is_number(value: Any) -> bool:
    return all(map(_is_number, value)) if isinstance(value, list | tuple) else not isinstance(value, str)


def _cut_texts(value: Any, length: int) -> str:
    return format_value(value) if _is_number(value) else _cut(format_value(value), length)


def _join(words: Sequence[str], items: Sequence[tuple[str, str]]) -> str:
    text = "-".join([*words, *(f"{key}={value}" for key, value in items)])
    return re.sub(r"[^a-z0-9.=]+", "-", text.lower()).strip("-")


def _cut(text: str, length: int) -> str:
    """Return a text without its middle if it is longer than allowed."""
    if len(text) <= length:
        return text
    half = (length - 1) // 2
    return f"{text[:half]}-{text[-half:]}"
