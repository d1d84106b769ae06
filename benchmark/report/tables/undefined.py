"""Notes on scores that are not defined: which, in which rows, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmark.evaluation.scores import Metric
from benchmark.evaluation.undefined_scores import explain_lack
from benchmark.report.result_row import ResultRow
from benchmark.report.split_names import list_splits
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.headers import SCORE_HEADERS

LEFT_OUT = "no part of such a split in their means"
"""Consequence of a score that is not defined on one of several splits."""
AFFECTED: dict[Metric, tuple[Metric, ...]] = {
    "miou_seen": ("miou_seen", "hiou"),
    "miou_unseen": ("miou_unseen", "hiou"),
}
"""Scores that are not defined if the mean over this kind of classes is not."""
KINDS: dict[Metric, bool] = {"miou_seen": True, "miou_unseen": False}
"""Whether the classes of a mean are seen ones."""


def describe_undefined_scores(results: StudyResults, metrics: Sequence[Metric]) -> list[str]:
    """Return the notes of every group of a table, see `describe_undefined`."""
    notes = []
    for group in results.groups:
        place = f"{group.name}: " if len(results.groups) > 1 else ""
        notes += [place + text for text in describe_undefined_group(group, metrics, consequence="no ΔhIoU, p or rank")]
    return notes


def describe_undefined_group(group: GroupResults, metrics: Sequence[Metric], *, consequence: str) -> list[str]:
    """Return the notes of a group, see `describe_undefined`; of several splits, those of each that lacks a score."""
    if not group.splits:
        return describe_undefined(group.rows, metrics, consequence=consequence)
    places: dict[str, list[str]] = {}
    for split in group.splits:
        for text in describe_undefined(split.rows, metrics, consequence=LEFT_OUT):
            places.setdefault(text, []).append(split.name)
    return [f"On {list_splits(names)}: {text}" for text, names in places.items()]


def describe_undefined(rows: Sequence[ResultRow], metrics: Sequence[Metric], *, consequence: str) -> list[str]:
    """Return one note per kind of classes that no score of some rows rests on.

    Args:
        rows: Rows of the table.
        metrics: Printed metrics.
        consequence: What is missing if hIoU is not defined in any row, such as "no ΔhIoU, p or rank".
    """
    done = [row for row in rows if row.done]
    notes = []
    for metric, is_seen in KINDS.items():
        names = [SCORE_HEADERS[affected] for affected in AFFECTED[metric] if affected in metrics]
        lacking = [row for row in done if is_undefined(row, metric)]
        if not names or not lacking:
            continue
        where = "" if len(lacking) == len(done) else f" in {', '.join(repr(row.label) for row in lacking)}"
        effect = f"; so there is {consequence}" if not where and consequence else ""
        verb = "are" if len(names) > 1 else "is"
        counts = next(counts for row in lacking for counts in row.counts)
        reason = explain_lack(counts, is_seen=is_seen, convention=rows[0].convention)
        notes.append(f"{' and '.join(names)} {verb} not defined{where}: {reason}{effect}.")
    return notes


def is_undefined(row: ResultRow, metric: Metric) -> bool:
    """Return whether a mean over classes is not defined for some run of a row."""
    return any(math.isnan(getattr(run.scores, metric)) for run in row.counted)
