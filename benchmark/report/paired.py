"""Every row against the first, on the same images: differences with intervals, and p values corrected as a family."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import Paired, holm, paired_bootstrap
from benchmark.report.rows import Row


@dataclass(frozen=True)
class Difference:
    """A row minus the first row.

    Attributes:
        paired: the difference, its interval and its own p value.
        p_adjusted: the p value after Holm's correction over all rows compared.
    """

    paired: Paired
    p_adjusted: float


def differences(rows: Sequence[Row], *, metric: Metric = "hiou") -> list[Difference | None]:
    """Differences to the first row; None for the first itself and for rows without a score to compare.

    All runs that are done take part, in the order of their seeds: as pairs where both rows have equally many.
    """
    found = [_paired(row, rows[0], metric=metric) if at else None for at, row in enumerate(rows)]
    adjusted = iter(holm([one.p_value for one in found if one is not None]))
    return [Difference(one, next(adjusted)) if one is not None else None for one in found]


def is_due(rows: Sequence[Row]) -> bool:
    """Whether a table shows differences unasked: two rows or more, and no run is missing."""
    return len(rows) > 1 and all(row.is_complete for row in rows)


def _paired(row: Row, first: Row, *, metric: Metric) -> Paired | None:
    means = [one.estimates[metric].mean for one in (row, first) if one.done]
    if len(means) < 2 or any(mean != mean for mean in means):
        return None
    return paired_bootstrap(row.counts, first.counts, metric=metric, convention=row.convention)
