"""Published numbers beside our rows, split by split, for splits of the literature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from benchmark.published.published_row import PublishedRow
from benchmark.report.papers.published_match import describe_published, format_values
from benchmark.report.published_obstacles import find_published_obstacle
from benchmark.report.result_row import ResultRow
from benchmark.report.study_results import GroupResults, StudyResults
from benchmark.report.tables.headers import describe_supervision
from benchmark.report.tables.numbers import format_score

METRICS = ("miou_seen", "miou_unseen", "hiou", "miou")
MAX_ROWS = 60
"""Published rows of a split that the page shows."""


class BesideRow(NamedTuple):
    """A row of ours or of the literature.

    Attributes:
        is_own: Whether the row is ours.
        label: Name of the method.
        setting: Training setting; empty for unknown.
        supervision: Supervision in words.
        scores: Scores as texts, in the order of `METRICS`.
        source: Where the numbers are from.
        remarks: What a reader must know of the numbers.
    """

    is_own: bool
    label: str
    setting: str
    supervision: str
    scores: tuple[str, ...]
    source: str
    remarks: str


@dataclass(frozen=True)
class BesideTable:
    """Our rows and the published ones on a split.

    Attributes:
        split: Name of the split.
        rows: Rows, the highest hIoU first.
        num_left_out: Number of published rows beyond `MAX_ROWS`.
    """

    split: str
    rows: tuple[BesideRow, ...]
    num_left_out: int


def lay_beside(results: StudyResults, published: Sequence[PublishedRow]) -> tuple[BesideTable, ...]:
    """Return a table for every split of the results that has published numbers.

    Args:
        results: Results.
        published: All published rows.
    """
    tables = (_lay_split(group, published) for group in results.by_split.groups)
    return tuple(table for table in tables if table is not None)


def _lay_split(group: GroupResults, published: Sequence[PublishedRow]) -> BesideTable | None:
    split = group.rows[0].split
    own = [row for row in group.rows if row.done]
    fitting = [
        other
        for other in published
        if other.split == split and not other.is_average and any(not find_published_obstacle(row, other) for row in own)
    ]
    if not fitting or not own:
        return None
    fitting.sort(key=lambda row: (-_get_score(row), row.id))
    rows = [(row.estimates["hiou"].mean, _describe_own(row)) for row in own]
    rows += [(_get_score(row), _describe_published_row(row)) for row in fitting[:MAX_ROWS]]
    rows.sort(key=lambda pair: -pair[0] if pair[0] == pair[0] else float("inf"))
    return BesideTable(split, tuple(row for _, row in rows), max(0, len(fitting) - MAX_ROWS))


def _get_score(row: PublishedRow) -> float:
    return row.values.get("hiou", row.values.get("miou", -1.0))


def _describe_own(row: ResultRow) -> BesideRow:
    known: dict[str, str] = {
        metric: format_score(estimate.mean, digits=1) for metric, estimate in row.estimates.items()
    }
    scores = tuple(known.get(metric, "-") for metric in METRICS)
    setting, supervision = row.traits.key.setting, describe_supervision(row.supervision)
    return BesideRow(True, row.label, setting, supervision, scores, f"this report, {len(row.done)} runs", "")


def _describe_published_row(row: PublishedRow) -> BesideRow:
    return BesideRow(
        is_own=False,
        label=row.method,
        setting=row.traits.setting,
        supervision=describe_supervision(row.traits.supervision),
        scores=tuple(format_values(row, [metric]) for metric in METRICS),
        source=" ".join(filter(None, (row.venue, str(row.year), f"(arXiv {row.arxiv})" if row.arxiv else ""))),
        remarks="; ".join(describe_published(row)),
    )
