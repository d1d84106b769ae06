"""Rows of a table in groups that may be compared: those of one evaluation setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from benchmark.report.result_row import ResultRow
from benchmark.report.rows import Row, find_shared_setting
from benchmark.report.settings import EvaluationSetting, name_settings

RowT_co = TypeVar("RowT_co", bound=ResultRow, covariant=True)


@dataclass(frozen=True, eq=False)
class RowGroup(Generic[RowT_co]):
    """Rows of a table that may be compared with each other.

    Attributes:
        name: Name of the split, with what else tells the group apart from the others on this split; of a group over
            several splits, what their names share and how many there are.
        rows: Rows in the order of the table.
        setting: Setting that the rows share, without a split for a group over several; None if no run is done.
    """

    name: str
    rows: tuple[RowT_co, ...]
    setting: EvaluationSetting | None

    def find_classes(self) -> tuple[tuple[str, ...], tuple[bool, ...]]:
        """Return the classes, and whether each is seen, from the first done run; nothing if no run is done."""
        return next(((counts.classes, counts.seen) for row in self.rows for counts in row.counts), ((), ()))

    def list_unseen(self) -> tuple[str, ...]:
        """Return the classes that are unseen in the first done run; nothing if no run is done."""
        return tuple(name for name, is_seen in zip(*self.find_classes(), strict=True) if not is_seen)


def identify_row(row: ResultRow) -> tuple[str, str]:
    """Return what the results of one row on several splits share: method and label."""
    return row.method, row.label


def group_rows(rows: Sequence[Row]) -> list[RowGroup[Row]]:
    """Return the rows in groups of one evaluation setting, split by split.

    Rows without a result are in the group of the setting that they will have; those whose setting cannot be read are in
    the first of their split.

    Raises:
        ValueError: There are no rows, or a row holds runs of different settings.
    """
    if not rows:
        raise ValueError("there are no rows to draw: give a study with at least one")
    done = {id(row): find_shared_setting([row]) for row in rows}
    own = {id(row): done[id(row)] or row.planned_setting for row in rows}
    settings = list(dict.fromkeys(setting for setting in own.values() if setting is not None))
    names = dict(zip(settings, name_settings(settings), strict=True))
    first = {setting.split: setting for setting in reversed([*filter(None, done.values()), *settings])}
    keys = {id(row): own[id(row)] or first.get(row.split) for row in rows}
    known = set(filter(None, done.values()))
    members: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        setting = keys[id(row)]
        members.setdefault((row.split, names[setting] if setting is not None else row.split), []).append(row)
    splits = list(dict.fromkeys(split for split, _ in members))
    return [
        RowGroup(name, tuple(some), setting if (setting := keys[id(some[0])]) in known else None)
        for (_, name), some in sorted(members.items(), key=lambda item: splits.index(item[0][0]))
    ]
