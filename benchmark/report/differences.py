"""Differences of rows to the first row on the same images, with intervals and family-wise corrected p values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import PairedDifference, adjust_holm, bootstrap_difference
from benchmark.report.rows import Row


@dataclass(frozen=True)
class AdjustedDifference:
    """Difference of two rows, one of a family of comparisons.

    Attributes:
        paired: Difference with its interval and its own p value.
        p_adjusted: p value after Holm's correction over the family.
    """

    paired: PairedDifference
    p_adjusted: float


def compare_with_first(rows: Sequence[Row], *, metric: Metric = "hiou") -> list[AdjustedDifference | None]:
    """Return the difference of every row to the first; None for the first itself and for rows without a score.

    All done runs take part, in the order of their seeds: as pairs if both rows have equally many.
    """
    paired = [_compare(row, rows[0], metric=metric) if index else None for index, row in enumerate(rows)]
    adjusted = iter(adjust_holm([difference.p_value for difference in paired if difference is not None]))
    return [AdjustedDifference(difference, next(adjusted)) if difference else None for difference in paired]


def is_comparison_due(rows: Sequence[Row]) -> bool:
    """Whether a table shows differences by default: it has several rows, and no run is missing."""
    return len(rows) > 1 and all(row.is_complete for row in rows)


def _compare(row: Row, first: Row, *, metric: Metric) -> PairedDifference | None:
    means = [side.estimates[metric].mean for side in (row, first) if side.done]
    if len(means) < 2 or any(mean != mean for mean in means):
        return None
    return bootstrap_difference(row.counts, first.counts, metric=metric, convention=row.convention)
