"""Groups of rows over several splits: which splits are choices of unseen classes from one pool, and their rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from benchmark.core.run_spec import RunSpec
from benchmark.core.split import load_split
from benchmark.evaluation.sides import find_pool_obstacle
from benchmark.report.pooled_rows import PooledRow, pool_members
from benchmark.report.row_groups import RowGroup, group_rows, identify_row
from benchmark.report.rows import Row
from benchmark.report.settings import EvaluationSetting, name_settings
from benchmark.report.split_names import list_splits, name_splits


@dataclass(frozen=True, eq=False)
class PooledGroup(RowGroup[PooledRow]):
    """Rows over several splits.

    Attributes:
        splits: Groups of the single splits.
    """

    splits: tuple[RowGroup[Row], ...]


class PooledGroups(NamedTuple):
    """Groups of a table, some of them over several splits, and why other splits are not one group."""

    groups: list[RowGroup[Row] | PooledGroup]
    obstacles: list[str]


class Pool(NamedTuple):
    """What splits share whose unseen classes are chosen from one pool.

    Attributes:
        classes: Names of all classes.
        num_unseen: Number of unseen classes.
        setting: Setting without its split; None if no run is done and no spec can be read.
    """

    classes: tuple[str, ...]
    num_unseen: int
    setting: EvaluationSetting | None


def pool_groups(groups: Sequence[RowGroup[Row]]) -> PooledGroups:
    """Return the groups of a table with those in one that differ in nothing but the choice of unseen classes.

    Splits belong together if their runs have the same classes, number of unseen classes, data, protocol, number of
    scored images and convention, and if some row stands on two of them. A split without a result joins those whose
    classes are the same by its file and whose setting is that of its specs. If its file cannot be found, it joins the
    only ones of this setting; if it has no spec either, the only ones there are.

    Args:
        groups: Groups as `row_groups.group_rows` returns them.
    """
    parts = _partition(groups)
    obstacles: list[str] = []
    pooled: list[RowGroup[Row] | PooledGroup] = []
    for part in parts:
        obstacle = _find_obstacle(part) if _is_pool(part) else ""
        if obstacle:
            obstacles.append(f"{list_splits([group.name for group in part])}: {obstacle}")
        pooled += [_pool(part)] if _is_pool(part) and not obstacle else part
    return PooledGroups(_tell_apart(sorted(pooled, key=lambda group: _find_place(group, groups))), obstacles)


def group_splits(rows: Sequence[Row]) -> list[list[str]]:
    """Return the splits of figures that are of one split, in groups that figures take the mean over.

    Those of a group on which the most rows are done come first. A split is in the first group that has it.

    Args:
        rows: Rows as `rows.read_rows` returns them.
    """
    splits: list[list[str]] = []
    for group in pool_groups(group_rows(rows)).groups:
        parts = group.splits if isinstance(group, PooledGroup) else (group,)
        ordered = sorted(parts, key=lambda part: -sum(bool(row.done) for row in part.rows))
        splits.append([part.rows[0].split for part in ordered])
    return [list(names) for names in dict.fromkeys(map(tuple, splits))]


def _partition(groups: Sequence[RowGroup[Row]]) -> list[list[RowGroup[Row]]]:
    """Return the groups in parts with one pool each."""
    pools: dict[Pool, list[RowGroup[Row]]] = {}
    for group in groups:
        if group.setting is not None:
            pools.setdefault(_read_pool(group, group.setting), []).append(group)
    unknown = []
    for group in groups:
        if group.setting is None:
            planned = _read_planned_pool(group)
            unknown += [group] if planned is None else []
            if planned is not None:
                pool = next((pool for pool in pools if _is_same(pool, planned)), planned)
                pools.setdefault(pool, []).append(group)
    parts = [(pool.setting, some) for pool, some in pools.items()]
    for group in unknown:
        own = _read_planned_setting(group)
        fitting = [some for setting, some in parts if _are_compatible(setting, own)]
        is_joined = len(fitting) == 1 and _has_rows(fitting[0], group)
        parts += [] if is_joined else [(own, [])]
        (fitting[0] if is_joined else parts[-1][1]).append(group)
    return [sorted(some, key=groups.index) for _, some in parts]


def _is_same(pool: Pool, planned: Pool) -> bool:
    """Return whether a split without a result is one of a pool, as far as is known."""
    return pool[:2] == planned[:2] and _are_compatible(pool.setting, planned.setting)


def _are_compatible(setting: EvaluationSetting | None, other: EvaluationSetting | None) -> bool:
    return setting is None or other is None or setting == other


def _read_pool(group: RowGroup[Row], setting: EvaluationSetting) -> Pool:
    classes, seen = group.find_classes()
    return Pool(classes, seen.count(False), setting.without_split())


def _read_planned_pool(group: RowGroup[Row]) -> Pool | None:
    """Return the pool of a split without a result, from its file; None if that cannot be read or is another one now."""
    spec = _find_spec(group)
    try:
        split = load_split(group.rows[0].split if spec is None else spec.split_source or spec.split)
    except (KeyError, ValueError):
        return None
    if spec is not None and split.digest() != spec.split_digest:
        return None
    return Pool(split.classes, len(split.unseen), _read_planned_setting(group))


def _read_planned_setting(group: RowGroup[Row]) -> EvaluationSetting | None:
    """Return the setting without its split that the runs of a group will have; None if no spec can be read."""
    settings = (row.planned_setting for row in group.rows)
    return next((setting.without_split() for setting in settings if setting is not None), None)


def _find_spec(group: RowGroup[Row]) -> RunSpec | None:
    return next((row.spec for row in group.rows if row.spec is not None), None)


def _has_rows(part: Sequence[RowGroup[Row]], group: RowGroup[Row]) -> bool:
    """Return whether all rows of a group stand on other splits too."""
    return _list_keys([group]) <= _list_keys(part)


def _list_keys(part: Sequence[RowGroup[Row]]) -> set[tuple[str, str]]:
    return {identify_row(row) for group in part for row in group.rows}


def _is_pool(part: Sequence[RowGroup[Row]]) -> bool:
    """Return whether some row stands on two splits."""
    splits = {(identify_row(row), row.split) for group in part for row in group.rows}
    return max(Counter(key for key, _ in splits).values()) > 1


def _find_obstacle(part: Sequence[RowGroup[Row]]) -> str:
    """Return why splits are no pool although they share their number of unseen classes; empty if they are one."""
    names = [group.rows[0].split for group in part]
    twice = [name for name, times in Counter(names).items() if times > 1]
    if twice:
        return f"runs of {twice[0]} are of files with different content"
    sides = {group.rows[0].split: row.side for group in part for row in reversed(group.rows) if row.done}
    return find_pool_obstacle(sides) if sides else ""


def _pool(part: Sequence[RowGroup[Row]]) -> PooledGroup:
    members: dict[tuple[str, str], list[Row]] = {}
    for group in part:
        for row in group.rows:
            members.setdefault(identify_row(row), []).append(row)
    setting = next((group.setting for group in part if group.setting is not None), None)
    return PooledGroup(
        name=name_splits([group.rows[0].split for group in part]),
        rows=tuple(pool_members(some, num_splits=len(part)) for some in members.values()),
        setting=setting.without_split() if setting is not None else None,
        splits=tuple(part),
    )


def _tell_apart(groups: Sequence[RowGroup[Row] | PooledGroup]) -> list[RowGroup[Row] | PooledGroup]:
    """Return the groups, those over several splits with what else tells them apart from others on these splits."""
    settings = {
        id(group): setting._replace(split=group.name)
        for group in groups
        if isinstance(group, PooledGroup)
        and (setting := group.setting or _read_planned_setting(group.splits[0])) is not None
    }
    different = list(dict.fromkeys(settings.values()))
    names = {
        setting: name.replace(" splits) (", " splits, ")
        for setting, name in zip(different, name_settings(different), strict=True)
    }
    return [replace(group, name=names[settings[id(group)]]) if id(group) in settings else group for group in groups]


def _find_place(group: RowGroup[Row] | PooledGroup, groups: Sequence[RowGroup[Row]]) -> int:
    return groups.index(group.splits[0] if isinstance(group, PooledGroup) else group)
