"""Studies with other settings than those of their file, under a name of their own."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from benchmark.core.overrides import validate_fields
from benchmark.core.run_name import format_value
from benchmark.core.study import Study

MAX_NAME = 120
"""Largest length of a modified study's name."""


def modify_study(
    study: Study,
    *,
    overrides: Mapping[str, Any],
    sweep: Mapping[str, tuple[Any, ...]] | None = None,
    name: str | None = None,
    **fields: Any,
) -> Study:
    """Return a study with other settings, under another name, so that its table is not mistaken for the original's.

    Args:
        study: Study to start from; it is not modified.
        overrides: Values by dotted key, for every row.
        sweep: Lists of values by dotted key, for every row.
        name: Name of the modified study; None for one made from the changes.
        fields: Other fields of the study and of all its rows; None keeps the study's own.
    """
    changes = {key: value for key, value in fields.items() if value is not None and _is_change(study, key, value)}
    changed = {"set": overrides, "sweep": sweep or {}}
    words = format_changes(changes, changed)
    old = study.model_dump(exclude_defaults=True)
    if not words:
        return make_study(old | {"name": name or study.name})
    keys = {*changes, *overrides, *changed["sweep"], *(["resampled"] if "split" in changes else [])}
    rows = [_remove_keys(row.model_dump(exclude_defaults=True), keys) for row in study.rows]
    new = _add_values(_remove_keys(old, keys), changed) | changes
    return make_study(
        new
        | {"rows": rows, "title": f"{study.title} [{', '.join(words)}]", "name": name or make_name(study.name, words)}
    )


def _is_change(study: Study, key: str, value: Any) -> bool:
    """Return whether a value of a field is another one for the study or for a row that has its own."""
    is_swept = any(key in sweep for sweep in (study.sweep, *(row.sweep for row in study.rows)))
    rows = [getattr(row, key, None) for row in study.rows]
    return is_swept or value != getattr(study, key) or any(own not in ((), "", None, value) for own in rows)


def _remove_keys(part: Mapping[str, Any], keys: Collection[str]) -> dict[str, Any]:
    """Return the fields of a study or a row without keys, nor overrides and sweeps of these keys."""
    fields = {key: value for key, value in part.items() if key not in keys}
    for name in ("set", "sweep"):
        if left := {key: value for key, value in fields.pop(name, {}).items() if key not in keys}:
            fields[name] = left
    return fields


def _add_values(part: Mapping[str, Any], values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the fields of a study with more overrides and sweeps."""
    return {**part, **{name: {**part.get(name, {}), **more} for name, more in values.items() if more}}


def format_changes(fields: Mapping[str, Any], changed: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return changes of fields, overrides and sweeps as texts for a title."""
    values = {**fields, **changed["set"], **changed["sweep"]}
    return [f"{key}={_format_value(value)}" for key, value in values.items()]


def _format_value(value: Any) -> str:
    return ",".join(format_value(item) for item in value) if isinstance(value, tuple) else format_value(value)


def make_study(fields: Mapping[str, Any]) -> Study:
    """Return a study from its fields, which are checked."""
    return validate_fields(Study, fields, path=())


def make_name(study: str, words: Sequence[str]) -> str:
    """Return the name of a study with changes, whose texts are words, for files."""
    text = re.sub(r"[^A-Za-z0-9_.=+-]+", "-", "+".join([study, *words])).strip("-")
    return text if len(text) <= MAX_NAME else f"{text[:100]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
