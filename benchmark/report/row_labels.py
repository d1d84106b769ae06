"""Labels of rows that were not planned as one study: as short as possible, and different from each other."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from benchmark.core.plan import PlanRow
from benchmark.core.run_name import format_changes, format_value
from benchmark.core.run_spec import RunSpec
from benchmark.report.settings import digest_protocol
from benchmark.store.method_code import name_code
from benchmark.utils.frozen_model import format_canonical_json
from benchmark.utils.identity import identify

DIGEST_LENGTH = 8

Candidate = tuple[PlanRow, RunSpec | None, str]
"""A row, the spec of one of its runs if it can be read, and the study that labeled it or an empty text."""


def label_rows(candidates: Sequence[Candidate]) -> tuple[list[PlanRow], str]:
    """Label rows so that no two on one split under one protocol have the same label, and one method on several has one.

    A row of a study keeps its label, also on splits that the study does not have. The others are named by their variant
    and the overrides in which the rows differ. Labels that are still the same get the method in front, then the
    settings that differ, then digits of the digest.

    Args:
        candidates: Rows. At least one.

    Returns:
        The rows with their labels, and the overrides that all rows share, for the caption; empty if a study labels any.
    """
    specs = [spec for _, spec, study in candidates if spec is not None and not study]
    shared = find_shared_overrides([spec.overrides for spec in specs]) if len(specs) == len(candidates) else {}
    kinds = [_identify_kind(candidate) for candidate in candidates]
    known = {kind: row.label for kind, (row, _, _) in reversed(list(zip(kinds, candidates, strict=True))) if row.label}
    labels = [known.get(kind) or _describe(spec, shared) for kind, (_, spec, _) in zip(kinds, candidates, strict=True)]
    settings = _read_settings(candidates)
    for add in (_add_method, _add_settings, _add_digest):
        twins = _find_twins(settings, labels, kinds)
        labels = [
            add(label, candidates[index], [candidates[one] for one in twins[index]]) if twins[index] else label
            for index, label in enumerate(labels)
        ]
    rows = [row.model_copy(update={"label": label}) for (row, _, _), label in zip(candidates, labels, strict=True)]
    return rows, format_changes(shared, num_parts=1)


def find_shared_overrides(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the overrides that all of several rows have; none of a single row.

    Args:
        rows: Overrides of each row by dotted key.
    """
    if len(rows) < 2:
        return {}
    first, *others = rows
    return {key: value for key, value in first.items() if all(key in some and some[key] == value for some in others)}


def _describe(spec: RunSpec | None, shared: Mapping[str, Any]) -> str:
    assert spec is not None  # only a study has rows without a readable spec, and they have labels
    own = {key: value for key, value in spec.overrides.items() if key not in shared}
    changes = format_changes(own, num_parts=1)
    return f"{spec.variant} [{changes}]" if changes else spec.variant


def _find_twins(
    settings: Sequence[tuple[object, ...]], labels: Sequence[str], kinds: Sequence[Hashable]
) -> list[list[int]]:
    """Return for every row the rows with the same name, itself included; nothing for a row whose name is its own.

    A row whose name is shared on one split gets a name of its own on all of its splits.
    """
    keys = [(*setting, label) for setting, label in zip(settings, labels, strict=True)]
    places: dict[tuple[object, ...], list[int]] = {}
    for index, key in enumerate(keys):
        places.setdefault(key, []).append(index)
    twins: dict[Hashable, set[int]] = {}
    for kind, key in zip(kinds, keys, strict=True):
        if len(places[key]) > 1:
            twins.setdefault(kind, set()).update(places[key])
    return [sorted(twins.get(kind, ())) for kind in kinds]


def _identify_kind(candidate: Candidate) -> Hashable:
    """Return what the rows of one method have in common on several splits; of an unreadable row, its ids."""
    row, spec, _ = candidate
    return tuple(row.ids.values()) if spec is None else format_canonical_json(_identify(spec))


def _read_settings(candidates: Sequence[Candidate]) -> list[tuple[object, ...]]:
    """Return what keeps rows in different groups of a table; of a row without a readable spec, that of its split."""
    known = [None if spec is None else _read_setting(spec) for _, spec, _ in candidates]
    usual = {setting[0]: setting for setting in reversed(known) if setting is not None}
    return [
        usual.get(row.split, (row.split,)) if setting is None else setting
        for (row, _, _), setting in zip(candidates, known, strict=True)
    ]


def _read_setting(spec: RunSpec) -> tuple[object, ...]:
    """Return what keeps runs in different groups of a table, see `row_groups.group_rows`; the split comes first."""
    protocol = digest_protocol(spec.protocol)
    return (spec.split, spec.split_digest, protocol, spec.dataset_fingerprint, spec.max_images)


def _add_method(label: str, own: Candidate, twins: Sequence[Candidate]) -> str:
    """Return a label with the method in front if rows of several methods have the label.

    Methods of one name that come from different files are named by the paths of these.
    """
    codes = {name_code(spec) for row, spec, _ in twins if spec is not None and row.method == own[0].method}
    if own[1] is not None and len(codes) > 1:
        return f"{name_code(own[1])}/{label}"
    return f"{own[0].method}/{label}" if len({row.method for row, _, _ in twins}) > 1 else label


def _add_settings(label: str, own: Candidate, twins: Sequence[Candidate]) -> str:
    """Return a label with the settings in which rows with the same label differ."""
    settings = [_flatten("", _identify(spec)) for _, spec, _ in twins if spec is not None]
    if own[1] is None or len(settings) < 2:
        return label
    known = _flatten("", _identify(own[1]))
    keys = {key for some in settings for key in some if any(other.get(key) != some[key] for other in settings)}
    changes = [f"{key}={_shorten(key, known[key])}" if key in known else f"{key} unset" for key in sorted(keys)]
    return f"{label} [{', '.join(changes)}]" if changes else label


def _add_digest(label: str, own: Candidate, _twins: Sequence[Candidate]) -> str:
    """Return a label with the last digits of the id of the row's first run."""
    return f"{label} #{next(iter(own[0].ids.values()), '')[-DIGEST_LENGTH:]}"


def _identify(spec: RunSpec) -> dict[str, Any]:
    """Return what identifies the row of a spec on any of its splits: everything but the seed and the split."""
    return {key: value for key, value in identify(spec).items() if key not in ("seed", "split", "split_digest")}


def _flatten(prefix: str, value: Any) -> dict[str, Any]:
    """Return the leaves of nested tables by dotted key."""
    if not isinstance(value, Mapping):
        return {prefix: value}
    return {
        key: leaf for name, item in value.items() for key, leaf in _flatten(f"{prefix}.{name}".strip("."), item).items()
    }


def _shorten(key: str, value: Any) -> str:
    text = format_value(value)
    return text[:DIGEST_LENGTH] if key.endswith(("digest", "fingerprint")) else text
