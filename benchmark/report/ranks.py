"""Ranks of the rows of a table, on one split or over several."""

from __future__ import annotations

import math
from collections.abc import Sequence

from benchmark.evaluation.pooling import compare_over_splits
from benchmark.evaluation.ranks import RowRank, estimate_ranks
from benchmark.evaluation.scores import Metric
from benchmark.evaluation.variation import TINY
from benchmark.report.pooled_rows import PooledRow
from benchmark.report.result_row import ResultRow
from benchmark.report.rows import Row

LEVEL = 0.95
"""Probability that the interval of a rank covers the rank of its row."""


def rank_rows(rows: Sequence[ResultRow], *, metric: Metric = "hiou") -> list[RowRank | None]:
    """Return the rank of every row among the complete rows of the same protocol class; None for rows without one."""
    is_ranked = [row.is_complete and not math.isnan(row.estimates[metric].mean) for row in rows]
    ranks: dict[int, RowRank] = {}
    for key in {row.traits.key for row in rows}:
        members = [index for index, row in enumerate(rows) if is_ranked[index] and row.traits.key == key]
        if members:
            ranks |= dict(zip(members, _rank([rows[index] for index in members], metric=metric), strict=True))
    return [ranks.get(index) for index in range(len(rows))]


def _rank(rows: Sequence[ResultRow], *, metric: Metric) -> list[RowRank]:
    pooled = [row for row in rows if isinstance(row, PooledRow)]
    if pooled:
        return _rank_over_splits(pooled, metric=metric)
    sides, first = [row.side for row in rows if isinstance(row, Row)], rows[0]
    return estimate_ranks(sides, metric=metric, level=LEVEL, convention=first.convention, jackknife=first.jackknife)


def _rank_over_splits(rows: Sequence[PooledRow], *, metric: Metric) -> list[RowRank]:
    """Return ranks over splits, with the ranks that all differences of a row allow at once.

    As in `evaluation.ranks`, a row can rank from 1 + the number of rows that are better for certain to the number of
    rows less those that are worse for certain. The differences of a row hold together by Bonferroni.
    """
    means = [row.estimates[metric].mean for row in rows]
    level = 1 - (1 - LEVEL) / max(1, len(rows) - 1)
    better = [[False] * len(rows) for _ in rows]
    for i, row in enumerate(rows):
        for j in range(i):
            difference = compare_over_splits(
                row.sides,
                rows[j].sides,
                metric=metric,
                convention=row.convention,
                level=level,
                jackknife=row.jackknife,
            )
            better[i][j], better[j][i] = difference.interval.low > 0, difference.interval.high < 0
    return [
        RowRank(
            rank=1 + sum(other > mean + TINY for other in means),
            low=1 + sum(better[j][i] for j in range(len(rows))),
            high=len(rows) - sum(better[i]),
            is_tied=sum(abs(other - mean) <= TINY for other in means) > 1,
        )
        for i, mean in enumerate(means)
    ]
