"""Results of a whole study: its rows in comparable groups, and what depends on several rows (differences and ranks)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from benchmark.evaluation.ranks import RowRank, estimate_ranks
from benchmark.evaluation.scores import Metric
from benchmark.report.differences import AdjustedDifference, compare_with_baselines, find_baselines
from benchmark.report.rows import Row, find_shared_setting
from benchmark.report.settings import EvaluationSetting, name_settings


@dataclass(frozen=True, eq=False)
class RowGroup:
    """Rows of a table that may be compared with each other.

    Attributes:
        name: Name of the split, with what else tells the group apart from the others on this split.
        rows: Rows in the order of the table.
        setting: Setting that the rows share; None if no run is done.
    """

    name: str
    rows: tuple[Row, ...]
    setting: EvaluationSetting | None


@dataclass(frozen=True, eq=False)
class GroupResults(RowGroup):
    """Rows that may be compared with each other, and what depends on several of them.

    Attributes:
        baseline: Row that the others are compared with; None if the group has no row of this name.
        differences: Difference of hIoU to the baseline, per row; None if it is not defined.
        ranks: Rank by hIoU among the complete rows of the same supervision, per row; None if there is none.
    """

    baseline: Row | None
    differences: tuple[AdjustedDifference | None, ...]
    ranks: tuple[RowRank | None, ...]


@dataclass(frozen=True, eq=False)
class StudyResults:
    """Rows of one table, in groups that may be compared; see `group_rows`.

    Attributes:
        groups: Groups in the order of the table.
    """

    groups: tuple[GroupResults, ...]

    @property
    def rows(self) -> tuple[Row, ...]:
        """Rows of all groups."""
        return tuple(row for group in self.groups for row in group.rows)

    @property
    def baseline(self) -> Row:
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

    def iterate_compared(self) -> Iterator[tuple[Row, AdjustedDifference | None, Row | None]]:
        """Yield every row, its difference, and the baseline of its group."""
        for group in self.groups:
            for row, difference in zip(group.rows, group.differences, strict=True):
                yield row, difference, group.baseline


def collect_results(rows: Sequence[Row], *, baseline: str = "", has_ranks: bool = False) -> StudyResults:
    """Return the rows with their differences to the baseline.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        baseline: Name of the baseline, see `find_baselines`.
        has_ranks: Whether to rank the rows.

    Raises:
        KeyError: The baseline is unknown or ambiguous.
        ValueError: There are no rows, or a row holds runs of different settings.
    """
    groups = group_rows(rows)
    baselines = find_baselines([group.rows for group in groups], baseline)
    pairs = zip((group.rows for group in groups), baselines, strict=True)
    differences = compare_with_baselines(list(pairs))
    return StudyResults(
        tuple(
            GroupResults(
                name=group.name,
                rows=group.rows,
                setting=group.setting,
                baseline=reference,
                differences=tuple(known),
                ranks=tuple(rank_rows(group.rows)) if has_ranks else (None,) * len(group.rows),
            )
            for group, reference, known in zip(groups, baselines, differences, strict=True)
        )
    )


def group_rows(rows: Sequence[Row]) -> list[RowGroup]:
    """Return the rows in groups of one evaluation setting, split by split; rows without a result join their split.

    Raises:
        ValueError: There are no rows, or a row holds runs of different settings.
    """
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    own = {id(row): find_shared_setting([row]) for row in rows}
    settings = list(dict.fromkeys(setting for setting in own.values() if setting is not None))
    names = dict(zip(settings, name_settings(settings), strict=True))
    first = {setting.split: setting for setting in reversed(settings)}
    keys = {id(row): own[id(row)] or first.get(row.split) for row in rows}
    members: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        setting = keys[id(row)]
        members.setdefault((row.split, names[setting] if setting is not None else row.split), []).append(row)
    splits = list(dict.fromkeys(split for split, _ in members))
    return [
        RowGroup(name, tuple(some), keys[id(some[0])])
        for (_, name), some in sorted(members.items(), key=lambda item: splits.index(item[0][0]))
    ]


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
