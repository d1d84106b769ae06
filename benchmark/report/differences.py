"""Differences of rows to a baseline on the same images, with intervals and family-wise corrected p values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
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


def find_baselines(groups: Sequence[Sequence[Row]], name: str = "") -> list[Row | None]:
    """Return the row of every group that its others are compared with; None for a group without a row of the name.

    Args:
        groups: Rows of a table in comparable groups.
        name: Label of the row, or METHOD/LABEL if several rows have the label; if no row is called so, the same without
            the overrides behind it. If empty, that of the first row.

    Raises:
        KeyError: No group has a row of this name, or a group has several; the message lists the labels.
    """
    first = groups[0][0]
    wanted = name.strip() or f"{first.method}/{first.label}"
    baselines = [_find_baseline(rows, wanted, _read_label) for rows in groups]
    if not any(baselines):
        baselines = [_find_baseline(rows, wanted, _read_variant) for rows in groups]
    if not any(baselines):
        labels = dict.fromkeys(row.label for rows in groups for row in rows)
        raise KeyError(explain_unknown_name("baseline", name, labels))
    return baselines


def _find_baseline(rows: Sequence[Row], name: str, read: Callable[[Row], str]) -> Row | None:
    """Return the row with a name, or with a method and a name; None if there is none.

    Args:
        rows: Rows of a group.
        name: Name.
        read: Function that returns the name of a row.

    Raises:
        KeyError: Several rows have the name.
    """
    wanted = name.casefold()
    matches = [row for row in rows if wanted in (read(row).casefold(), f"{row.method}/{read(row)}".casefold())]
    if len(matches) > 1:
        names = " or ".join(repr(f"{row.method}/{row.label}") for row in matches)
        raise KeyError(f"baseline {name!r} is ambiguous: write {names}")
    return matches[0] if matches else None


def _read_label(row: Row) -> str:
    return row.label


def _read_variant(row: Row) -> str:
    """Return the label of a row without the overrides behind it."""
    return row.label.partition(" [")[0]


def compare_with_baselines(
    groups: Sequence[tuple[Sequence[Row], Row | None]], *, metric: Metric = "hiou"
) -> list[list[AdjustedDifference | None]]:
    """Return the difference of every row to the baseline of its group; None for a baseline and rows without a score.

    The done runs of both rows take part; seeds that both have are compared with each other. The family of Holm's
    correction are all comparisons of all groups.

    Args:
        groups: Rows and baseline of every group; None if a group has no baseline.
        metric: Score.
    """
    paired = [_compare(rows, baseline, metric=metric) for rows, baseline in groups]
    adjusted = iter(adjust_holm([known.p_value for some in paired for known in some if known is not None]))
    return [[None if known is None else AdjustedDifference(known, next(adjusted)) for known in some] for some in paired]


def _compare(rows: Sequence[Row], baseline: Row | None, *, metric: Metric) -> list[PairedDifference | None]:
    is_compared = [row is not baseline and _is_defined(row, metric) for row in rows]
    if baseline is None or not _is_defined(baseline, metric) or not any(is_compared):
        return [None] * len(rows)
    sides = [row.side for row, is_side in zip(rows, is_compared, strict=True) if is_side]
    convention, jackknife = baseline.convention, baseline.jackknife
    paired = iter(compare_sides(sides, baseline.side, metric=metric, convention=convention, jackknife=jackknife))
    return [next(paired) if is_side else None for is_side in is_compared]


def _is_defined(row: Row, metric: Metric) -> bool:
    return bool(row.done) and not math.isnan(row.estimates[metric].mean)
