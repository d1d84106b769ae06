"""Differences of rows to a baseline on the same images, with intervals and family-wise corrected p values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from benchmark.evaluation.families import adjust_holm
from benchmark.evaluation.pooling import PooledDifference, compare_over_splits
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import PairedDifference, compare_sides
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import Estimate, ResultRow
from benchmark.utils.did_you_mean import explain_unknown_name, list_names
from benchmark.utils.forked_map import map_forked

BATCH = 64
"""Rows that a process compares before it hands their differences over."""


@dataclass(frozen=True)
class AdjustedDifference:
    """Difference of two rows, one of a family of comparisons.

    Attributes:
        paired: Difference with its interval and its own p value, on one split or over several.
        p_adjusted: p value after Holm's correction over the family; nan if the difference is in no family.
        is_within_class: Whether both rows are of one protocol class, see `ProtocolClass.key`. If not, the difference is
            one of what the methods were given, too.
    """

    paired: PairedDifference | PooledDifference
    p_adjusted: float
    is_within_class: bool = True

    @property
    def pooled(self) -> PooledDifference | None:
        """Difference over several splits; None for a difference on one."""
        return self.paired if isinstance(self.paired, PooledDifference) else None

    @property
    def by_split(self) -> Mapping[str, PairedDifference]:
        """Differences on the single splits behind the difference; none for a difference on one split."""
        return {} if self.pooled is None else self.pooled.by_split

    @property
    def on_splits(self) -> tuple[PairedDifference, ...]:
        """Differences on the single splits, or the difference on the only one."""
        return tuple(self.by_split.values()) if isinstance(self.paired, PooledDifference) else (self.paired,)


def find_baselines(groups: Sequence[Sequence[ResultRow]], name: str = "") -> list[ResultRow | None]:
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


def _find_baseline(rows: Sequence[ResultRow], name: str, read: Callable[[ResultRow], str]) -> ResultRow | None:
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
        names = list_names(name, (repr(f"{row.method}/{row.label}") for row in matches))
        raise KeyError(f"baseline {name!r} is ambiguous: write one of {names}")
    return matches[0] if matches else None


def _read_label(row: ResultRow) -> str:
    return row.label


def _read_variant(row: ResultRow) -> str:
    """Return the label of a row without the overrides behind it."""
    return row.label.partition(" [")[0]


def compare_with_baselines(
    groups: Sequence[tuple[Sequence[ResultRow], ResultRow | None]], *, metric: Metric = "hiou"
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
    return [
        [
            None if known is None else AdjustedDifference(known, next(adjusted), _share_class(row, baseline))
            for row, known in zip(rows, some, strict=True)
        ]
        for (rows, baseline), some in zip(groups, paired, strict=True)
    ]


def _share_class(row: ResultRow, baseline: ResultRow | None) -> bool:
    return baseline is not None and row.traits.key == baseline.traits.key


def estimate_rows(rows: Sequence[ResultRow]) -> None:
    """Compute the estimates of rows that have none yet, those of thousands of rows in several processes."""
    missing = [row for row in rows if not row.has_estimates]
    for row, estimates in zip(missing, map_forked(_estimate, missing, batch=BATCH), strict=True):
        row.keep_estimates(estimates)


def _compare(
    rows: Sequence[ResultRow], baseline: ResultRow | None, *, metric: Metric
) -> list[PairedDifference | PooledDifference | None]:
    """Return the difference of every row, and keep the estimates of the rows, which share scores with it."""
    known = map_forked(partial(_compare_row, baseline=baseline, metric=metric), rows, batch=BATCH)
    for row, (estimates, _) in zip(rows, known, strict=True):
        row.keep_estimates(estimates)
    return [difference for _, difference in known]


def _compare_row(
    row: ResultRow, *, baseline: ResultRow | None, metric: Metric
) -> tuple[dict[Metric, Estimate], PairedDifference | PooledDifference | None]:
    is_compared = baseline is not None and row is not baseline and _is_defined(row, metric)
    if baseline is None or not is_compared or not _is_defined(baseline, metric):
        return row.estimates, None
    if isinstance(baseline, PooledRow):
        difference = _compare_over_splits(row, baseline, metric=metric) if isinstance(row, PooledRow) else None
        return row.estimates, difference
    (side,), (reference,) = row.sides.values(), baseline.sides.values()
    convention, jackknife = baseline.convention, baseline.jackknife
    (paired,) = compare_sides([side], reference, metric=metric, convention=convention, jackknife=jackknife)
    return row.estimates, paired


def _estimate(row: ResultRow) -> dict[Metric, Estimate]:
    return row.estimates


def _compare_over_splits(row: PooledRow, baseline: PooledRow, *, metric: Metric) -> PooledDifference | None:
    """Return the difference over the splits on which both rows have the score; None if there are none."""
    if not set(row.list_defined(metric)) & set(baseline.list_defined(metric)):
        return None
    return compare_over_splits(
        row.sides, baseline.sides, metric=metric, convention=baseline.convention, jackknife=baseline.jackknife
    )


def _is_defined(row: ResultRow, metric: Metric) -> bool:
    return bool(row.done) and not math.isnan(row.estimates[metric].mean)
