"""Rows of imported predictions: what they are from, and what they cannot have."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.core.run_record import RunRecord
from benchmark.report.result_row import ResultRow

DIGEST_LENGTH = 8
"""Characters of a digest that a note shows."""


def describe_imported(row: ResultRow) -> list[str]:
    """Return one text per origin of imported labels in the row's runs; none for runs of this program."""
    return list(dict.fromkeys(_describe_origin(record) for record in row.records if record.imported is not None))


def describe_missing_scores(rows: Sequence[ResultRow], *, consequence: str) -> list[str]:
    """Return the note on rows whose counts are those of labels without scores; none if there are none.

    Args:
        rows: Rows.
        consequence: What these rows are left out of.
    """
    labels = [row.label for row in rows if row.is_labels_only]
    return [f"{', '.join(labels)}: {consequence}, because imported labels have no score"] if labels else []


def _describe_origin(record: RunRecord) -> str:
    origin = record.imported
    assert origin is not None
    parts = [f"{origin.num_files} files ({origin.files_digest[:DIGEST_LENGTH]})"]
    parts += [f"made by {origin.program}"] if origin.program else []
    parts += [f"ids by {origin.ids}"]
    parts += [f"{origin.no_class_pixels} labeled pixels of no class, which are wrong"] if origin.no_class_pixels else []
    parts += [origin.note] if origin.note else []
    return f"imported labels: {'; '.join(parts)}; training and cost unknown"
