"""The settings in which rows of one label differ, in a few words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmark.utils.frozen_model import format_canonical_json

if TYPE_CHECKING:
    from benchmark.core.run_spec import RunSpec

MAX_WORDS = 3
"""Largest number of settings that a row names."""
MAX_VALUE = 24
"""Length from which on a value is replaced by digits of its digest."""
DIGITS = 6
WORDS = {
    "max_images": "max_images",
    "split_digest": "split file",
    "dataset_fingerprint": "data",
    "source_digest": "code",
    "protocol.name": "protocol",
}
"""What settings are called, if not by their own key."""
_FIELDS = ("split", "protocol", "engine", "max_images", "budget", "config", "method", "variant")
_DIGESTS = ("split_digest", "dataset_fingerprint", "source_digest")


def describe_differences(specs: Sequence[RunSpec]) -> list[str]:
    """Return a text per spec that names the settings in which it differs from the others, its seed aside.

    Args:
        specs: Specs of different rows.
    """
    settings = [_list_settings(spec) for spec in specs]
    keys = [key for key in dict.fromkeys(key for values in settings for key in values)]
    differing = [key for key in keys if len({_format(values.get(key)) for values in settings}) > 1]
    texts = [_join(values, differing[:MAX_WORDS]) for values in settings]
    if len(set(texts)) == len(texts):
        return texts
    return [f"{text} #{spec.digest_row()[:DIGITS]}".strip() for text, spec in zip(texts, specs, strict=True)]


def _join(values: Mapping[str, Any], keys: Sequence[str]) -> str:
    return ", ".join(f"{_name(key)}={_format(values.get(key))}" for key in keys)


def _name(key: str) -> str:
    return WORDS.get(key, key.removeprefix("config."))


def _list_settings(spec: RunSpec) -> dict[str, Any]:
    """Return the settings of a run by dotted key, digests of files last."""
    fields = spec.model_dump(mode="json", include={*_FIELDS, *_DIGESTS})
    weights = {} if spec.weights is None else {"weights file": spec.weights.sha256}
    return weights | {key: value for field in (*_FIELDS, *_DIGESTS) for key, value in _flatten(field, fields[field])}


def _flatten(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _flatten(f"{key}.{name}", item)
    else:
        yield key, value


def _format(value: Any) -> str:
    text = value if isinstance(value, str) else format_canonical_json(value)
    return text if len(text) <= MAX_VALUE else f"#{hashlib.sha256(text.encode()).hexdigest()[:DIGITS]}"
