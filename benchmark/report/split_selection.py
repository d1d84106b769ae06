"""Rows of a table on the splits that a user asks for, and the order of the splits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import TypeVar

from benchmark.core.split import name_split
from benchmark.utils.did_you_mean import find_near_name, list_names

RowT = TypeVar("RowT")


def select_on_split(rows: Sequence[RowT], split: str, read: Callable[[RowT], str], *, place: str) -> list[RowT]:
    """Return the rows on a split, or on splits whose names fit a pattern; all rows if it is empty.

    Args:
        rows: Rows.
        split: Name or file of a split, or pattern of names such as toybox@*.
        read: Function that returns the name of the split of a row.
        place: Place of the rows in words, for the message.

    Raises:
        KeyError: No row is on the split; the message names the nearest and says where there are rows.
    """
    wanted = split if set(split) & set("*?[") else name_split(split)
    kept = [row for row in rows if not split or fnmatchcase(read(row), wanted)]
    if not kept:
        splits = dict.fromkeys(map(read, rows))
        near = find_near_name(wanted, [*splits, *(f"{name.partition('@')[0]}@*" for name in splits if "@" in name)])
        hint = "; there" if near is None else f"; did you mean {near!r}? There"
        raise KeyError(f"{place} has no row on split {wanted!r}{hint} are rows on: {list_names(wanted, splits)}")
    return kept


def order_splits(splits: Sequence[str], *, is_mixed: bool) -> list[str]:
    """Return different splits in their order; of several names' rows, drawn ones of one kind by their numbers."""
    order = list(dict.fromkeys(splits))
    if not is_mixed:
        return order
    stems = [split.rpartition("-")[0] if "@" in split else split for split in order]
    return [split for stem in dict.fromkeys(stems) for split in sorted(_select(order, stems, stem))]


def _select(order: Sequence[str], stems: Sequence[str], stem: str) -> list[str]:
    return [split for split, own in zip(order, stems, strict=True) if own == stem]
