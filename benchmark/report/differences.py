"""Differences of rows to a baseline on the same images, with intervals and family-wise corrected p values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.evaluation.families import adjust_holm
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import PairedDifference, compare_sides
from benchmark.report.rows import Row
from benchmark.utils.did_you_mean import explain_unknown_name


@dataclass(frozen=True)
class AdjustedDifference:
    """Difference of two rows, one of a family of comparisons.

    Attributes:
        paired: Difference with its interval and its own p value.
        p_adjusted: p value after Holm's correction over the family.
    """

    paired: PairedDifference
    p_adjusted: float


def find_baseline(rows: Sequence[Row], name: str = "") -> Row:
    """Return the row that the others are compared with.

    Args:
        rows: Rows of a table.
        name: Label of the row, or METHOD/LABEL if several rows have the label; if empty, the first row.

    Raises:
        KeyError: No row or several rows have the name; the message lists the labels.
    """
    wanted = name.strip().casefold()
    matches = [row for row in rows if wanted in (row.label.casefold(), f"{row.method}/{row.label}".casefold())]
    if not wanted or len(matches) == 1:
        return matches[0] if wanted else rows[0]
    if matches:
        names = " or ".join(repr(f"{row.method}/{row.label}") for row in matches)
        raise KeyError(f"baseline {name!r} is ambiguous: write {names}")
    raise KeyError(explain_unknown_name("baseline", name, [row.label for row in rows]))


def compare_with_baseline(
    rows: Sequence[Row], baseline: Row, *, metric: Metric = "hiou"
) -> list[AdjustedDifference | None]:
    """Return the difference of every row to the baseline; None for the baseline itself and for rows without a score.

    The done runs of both rows take part; seeds that both have are compared with each other.
    """
    is_compared = [row is not baseline and _is_defined(row, metric) and _is_defined(baseline, metric) for row in rows]
    sides = [row.side for row, is_side in zip(rows, is_compared, strict=True) if is_side]
    if not sides:
        return [None] * len(rows)
    convention, jackknife = baseline.convention, baseline.jackknife
    paired = compare_sides(sides, baseline.side, metric=metric, convention=convention, jackknife=jackknife)
    adjusted = adjust_holm([difference.p_value for difference in paired])
    differences = iter(map(AdjustedDifference, paired, adjusted))
    return [next(differences) if is_side else None for is_side in is_compared]


def _is_defined(row: Row, metric: Metric) -> bool:
    return bool(row.done) and not math.isnan(row.estimates[metric].mean)
