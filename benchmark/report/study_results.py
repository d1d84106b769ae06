"""Results of a whole study: its rows, and what depends on several of them (differences and ranks)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evaluation.ranks import RowRank, estimate_ranks
from benchmark.evaluation.scores import Metric
from benchmark.report.differences import AdjustedDifference, compare_with_baseline, find_baseline
from benchmark.report.rows import EvaluationSetting, Row, find_shared_setting


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Rows that share one table.

    Attributes:
        rows: Rows in the order of the table.
        baseline: Row that the others are compared with.
        setting: Setting that all rows share; None if no run is done.
        differences: Difference of hIoU to the baseline, per row; None if it is not defined.
        ranks: Rank by hIoU among the complete rows of the same supervision, per row; None if there is none.
    """

    rows: tuple[Row, ...]
    baseline: Row
    setting: EvaluationSetting | None
    differences: tuple[AdjustedDifference | None, ...]
    ranks: tuple[RowRank | None, ...]


def collect_results(rows: Sequence[Row], *, baseline: str = "", has_ranks: bool = False) -> StudyResults:
    """Return the rows with their differences to the baseline.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        baseline: Name of the baseline, see `find_baseline`.
        has_ranks: Whether to rank the rows.

    Raises:
        KeyError: The baseline is unknown or ambiguous.
        ValueError: There are no rows, or they are not comparable, see `find_shared_setting`.
    """
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    reference = find_baseline(rows, baseline)
    return StudyResults(
        rows=tuple(rows),
        baseline=reference,
        setting=find_shared_setting(rows),
        differences=tuple(compare_with_baseline(rows, reference)),
        ranks=tuple(rank_rows(rows)) if has_ranks else (None,) * len(rows),
    )


def rank_rows(rows: Sequence[Row], *, metric: Metric = "hiou") -> list[RowRank | None]:
    """Return the rank of every row among the complete rows of the same supervision; None for rows without one."""
    is_ranked = [row.is_complete and not math.isnan(row.estimates[metric].mean) for row in rows]
    ranks: dict[int, RowRank] = {}
    for kind in {row.supervision for row in rows}:
        members = [index for index, row in enumerate(rows) if is_ranked[index] and row.supervision == kind]
        if members:
            sides, first = [rows[index].side for index in members], rows[members[0]]
            known = estimate_ranks(sides, metric=metric, convention=first.convention, jackknife=first.jackknife)
            ranks |= dict(zip(members, known, strict=True))
    return [ranks.get(index) for index in range(len(rows))]
