"""Differences of rows to the first row on the same images, with intervals and family-wise corrected p values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import PairedDifference, adjust_holm, bootstrap_differences
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
    first = rows[0]
    is_compared = [row is not first and _is_defined(row, metric) and _is_defined(first, metric) for row in rows]
    sides = [row.counts for row, is_side in zip(rows, is_compared, strict=True) if is_side]
    paired = bootstrap_differences(sides, first.counts, metric=metric, convention=first.convention)
    adjusted = adjust_holm([difference.p_value for difference in paired])
    differences = iter(map(AdjustedDifference, paired, adjusted))
    return [next(differences) if is_side else None for is_side in is_compared]


def is_comparison_due(rows: Sequence[Row]) -> bool:
    """Return whether a table shows differences by default: it has several rows, and no run is missing."""
    return len(rows) > 1 and all(row.is_complete for row in rows)


def _is_defined(row: Row, metric: Metric) -> bool:
    return bool(row.done) and not math.isnan(row.estimates[metric].mean)
