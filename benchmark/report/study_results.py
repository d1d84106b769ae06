"""Results of a whole study: its rows in comparable groups, and what depends on several rows (differences and ranks)."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from benchmark.evaluation.ranks import RowRank
from benchmark.report.differences import AdjustedDifference, compare_with_baselines, find_baselines
from benchmark.report.pools import PooledGroup, PooledGroups, pool_groups
from benchmark.report.ranks import rank_rows
from benchmark.report.result_row import ResultRow
from benchmark.report.row_groups import RowGroup, group_rows, identify_row
from benchmark.report.rows import Row


@dataclass(frozen=True, eq=False, kw_only=True)
class GroupResults(RowGroup[ResultRow]):
    """Rows that may be compared with each other, and what depends on several of them.

    Attributes:
        baseline: Row that the others are compared with; None if the group has no row of this name.
        differences: Difference of hIoU to the baseline, per row; None if it is not defined.
        ranks: Rank by hIoU among the complete rows of the same protocol class, per row; None if there is none.
        splits: Results on every split of a group over several; their p values are those of single comparisons.
    """

    baseline: ResultRow | None
    differences: tuple[AdjustedDifference | None, ...]
    ranks: tuple[RowRank | None, ...]
    splits: tuple[GroupResults, ...] = ()

    def list_done_splits(self) -> list[str]:
        """Return the splits on which a row has a result."""
        return list(dict.fromkeys(split for row in self.rows for split in row.sides))

    def select_rows(self, indices: Sequence[int]) -> GroupResults:
        """Return the group with these rows in this order, on every split that has any of them."""
        order = [identify_row(self.rows[index]) for index in indices]
        splits = [split.select_rows(_find_order(split.rows, order)) for split in self.splits]
        return replace(
            self,
            rows=tuple(self.rows[index] for index in indices),
            differences=tuple(self.differences[index] for index in indices),
            ranks=tuple(self.ranks[index] for index in indices),
            splits=tuple(split for split in splits if split.rows),
        )


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Rows of one table, in groups that may be compared; see `row_groups.group_rows` and `pools.pool_groups`.

    Attributes:
        groups: Groups in the order of the table.
        obstacles: Reasons why splits that look like one group are several, one line each.
    """

    groups: tuple[GroupResults, ...]
    obstacles: tuple[str, ...] = ()

    @property
    def rows(self) -> tuple[ResultRow, ...]:
        """Rows of all groups."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def baseline(self) -> ResultRow:
        """Row that those of its group are compared with; the first of these rows if there are several groups."""
        return next(group.baseline for group in self.groups if group.baseline is not None)

    @property
    def differences(self) -> tuple[AdjustedDifference | None, ...]:
        """Difference to the baseline per row, see `GroupResults`."""
        return tuple(difference for group in self.groups for difference in group.differences)

    @property
    def has_results(self) -> bool:
        """Whether any run is done."""
        return any(group.setting is not None for group in self.groups)

    @property
    def has_pools(self) -> bool:
        """Whether a group is over several splits."""
        return any(group.splits for group in self.groups)

    @property
    def by_split(self) -> StudyResults:
        """The same rows with every split as a group of its own."""
        return StudyResults(tuple(split for group in self.groups for split in group.splits or (group,)))

    def iterate_compared(self) -> Iterator[tuple[ResultRow, AdjustedDifference | None, ResultRow | None]]:
        """Yield every row, its difference, and the baseline of its group."""
        for group in self.groups:
            for row, difference in zip(group.rows, group.differences, strict=True):
                yield row, difference, group.baseline


def collect_results(
    rows: Sequence[Row],
    *,
    baseline: str = "",
    has_ranks: bool = False,
    is_by_split: bool = False,
    parts: Sequence[Collection[str]] = (),
) -> StudyResults:
    """Return the rows with their differences to the baseline.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        baseline: Name of the baseline, see `find_baselines`.
        has_ranks: Whether to rank the rows.
        is_by_split: Whether every split is a group of its own, even if several are choices of unseen classes from one
            pool, see `pools.pool_groups`.
        parts: Splits of every part of the table, beyond which no mean is taken; if empty, all are one part. A split in
            two parts is in the results of both.

    Raises:
        KeyError: The baseline is unknown or ambiguous.
        ValueError: There are no rows, or a row holds runs of different settings.
    """
    single = group_rows(rows)
    groups, obstacles = (single, []) if is_by_split else _pool_parts(single, parts)
    baselines = find_baselines([group.rows for group in groups], baseline)
    pairs = zip((group.rows for group in groups), baselines, strict=True)
    differences = compare_with_baselines(list(pairs))
    results = [
        GroupResults(
            name=group.name,
            rows=group.rows,
            setting=group.setting,
            baseline=reference,
            differences=tuple(known),
            ranks=tuple(rank_rows(group.rows)) if has_ranks else (None,) * len(group.rows),
            splits=_list_splits(group, reference, known) if isinstance(group, PooledGroup) else (),
        )
        for group, reference, known in zip(groups, baselines, differences, strict=True)
    ]
    return StudyResults(tuple(results), tuple(obstacles))


def _pool_parts(groups: Sequence[RowGroup[Row]], parts: Sequence[Collection[str]]) -> PooledGroups:
    """Return the groups with those of a part in one that may be, see `pools.pool_groups`."""
    if not parts:
        return pool_groups(groups)
    pooled = [pool_groups([group for group in groups if group.rows[0].split in part]) for part in parts]
    groups_of_all = [group for some in pooled for group in some.groups]
    return PooledGroups(groups_of_all, [text for some in pooled for text in some.obstacles])


def _list_splits(
    group: PooledGroup, baseline: ResultRow | None, differences: Sequence[AdjustedDifference | None]
) -> tuple[GroupResults, ...]:
    """Return the results on every split of a group."""
    known = {identify_row(row): difference for row, difference in zip(group.rows, differences, strict=True)}
    reference = None if baseline is None else identify_row(baseline)
    return tuple(
        GroupResults(
            name=split.name,
            rows=split.rows,
            setting=split.setting,
            baseline=next((row for row in split.rows if identify_row(row) == reference), None),
            differences=tuple(_select_split(known[identify_row(row)], row.split) for row in split.rows),
            ranks=(None,) * len(split.rows),
        )
        for split in group.splits
    )


def _select_split(difference: AdjustedDifference | None, split: str) -> AdjustedDifference | None:
    """Return the difference on one of the splits behind a difference, without a corrected p value."""
    paired = None if difference is None else difference.by_split.get(split)
    if difference is None or paired is None:
        return None
    return AdjustedDifference(paired, math.nan, difference.is_within_class)


def _find_order(rows: Sequence[ResultRow], order: Sequence[tuple[str, str]]) -> list[int]:
    """Return the indices of the rows that have one of these names, in the order of the names."""
    places = {name: place for place, name in enumerate(order)}
    known = [(places[name], index) for index, row in enumerate(rows) if (name := identify_row(row)) in places]
    return [index for _, index in sorted(known)]
