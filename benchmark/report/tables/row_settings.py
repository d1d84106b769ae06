"""Settings of rows beside their variant, which a label of a study does not show.

Of a file, the name is shown: its folder belongs to a machine, and what it holds, to the ID of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmark.core.run_name import format_changes
from benchmark.report.result_row import ResultRow
from benchmark.report.row_labels import find_shared_overrides

NOTED_ELSEWHERE = ("budget.", "protocol.")
"""Beginnings of keys that the notes on training and protocol show."""


def describe_own_settings(rows: Sequence[ResultRow]) -> list[str]:
    """Return for every row the settings that not all rows share and that its label leaves out; empty if none."""
    shared = _find_shared(rows)
    own = [{key: value for key, value in _read_settings(row).items() if key not in shared} for row in rows]
    hidden = [
        {key: value for key, value in some.items() if f"{key}=" not in row.label}
        for row, some in zip(rows, own, strict=True)
    ]
    return [format_changes(some, num_parts=1) for some in hidden]


def describe_shared_settings(rows: Sequence[ResultRow], *, title: str) -> list[str]:
    """Return the note on the settings that all rows share; none if there are none, or if the caption shows them."""
    shown = {key: value for key, value in _find_shared(rows).items() if f"{key}=" not in title}
    return [f"All rows: {format_changes(shown, num_parts=1)}."] if shown else []


def _find_shared(rows: Sequence[ResultRow]) -> dict[str, Any]:
    """Return the settings that all of several rows with results have."""
    return find_shared_overrides([_read_settings(row) for row in rows if row.records and not row.is_imported])


def _read_settings(row: ResultRow) -> Mapping[str, Any]:
    """Return the overrides of a row's runs by dotted key, without those that other notes show."""
    if not row.records or row.is_imported:
        return {}
    spec = row.records[0].spec
    noted = (*NOTED_ELSEWHERE, *([] if spec.weights is None else ["weights"]))
    return {key: value for key, value in spec.overrides.items() if not key.startswith(noted)}
