"""Splits whose segmentations are drawn: of those that figures take the mean over, the first with what is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from benchmark.core.plan import Plan
from benchmark.qualitative.gallery import choose_sheet
from benchmark.report.pools import group_splits
from benchmark.report.rows import read_rows
from benchmark.report.split_names import list_splits
from benchmark.store.store import Store


def choose_drawn_splits(
    store: Store,
    plan: Plan,
    *,
    is_by_split: bool = False,
    select: str = "",
    baseline: str = "",
    notify: Callable[[str], None] = lambda _text: None,
) -> list[Plan]:
    """Return one plan per split whose segmentations are drawn; nothing is drawn.

    Of splits that figures take the mean over, it is the first that has the rows and images that are asked for, those
    with the most finished rows first.

    Args:
        store: Store that holds the runs.
        plan: Plan of rows on any splits.
        is_by_split: Whether every split is drawn.
        select: Choice of the images, see `sheet_choice.choose_for_sheet`.
        baseline: Label of the row that a difference is taken from; if empty, the plan's or the first.
        notify: Function for one line about each choice among splits, and about splits without what is asked for.

    Raises:
        KeyError: A row or image is on no split; the message names the nearest.
        ValueError: No image can be chosen as asked on any split.
    """
    groups = [[split] for split in plan.splits] if is_by_split else group_splits(read_rows(store, plan))
    found = [
        _find_sheet(store, [_select_split(plan, split) for split in group], select=select, baseline=baseline)
        for group in groups
    ]
    errors = {split: error for choice in found for split, error in choice.errors.items()}
    if errors and not any(choice.has_images for choice in found):
        raise type(next(iter(errors.values())))(_join_messages(errors))
    for group, choice in zip(groups, found, strict=True):
        if choice.part is None:
            notify(f"no segmentations on {list_splits(group)}: {_join_messages(choice.errors)}")
        elif len(group) > 1:
            split = choice.part.splits[0]
            notify(f"segmentations are those of {split}, one of {len(group)} splits; --split NAME takes another")
    return list({choice.part.splits[0]: choice.part for choice in found if choice.part is not None}.values())


class _Found(NamedTuple):
    """The split of a group that is drawn.

    Attributes:
        part: Plan of the rows on it; None if no split has what is asked for.
        has_images: Whether there is anything to draw: a finished run.
        errors: Why splits before it are not drawn.
    """

    part: Plan | None
    has_images: bool
    errors: dict[str, KeyError | ValueError]


def _find_sheet(store: Store, parts: Sequence[Plan], *, select: str, baseline: str) -> _Found:
    """Return the first of the plans of single splits that has the rows and images that are asked for."""
    errors: dict[str, KeyError | ValueError] = {}
    for part in parts:
        try:
            sheet = choose_sheet(store, part, select=select, baseline=baseline)
        except (KeyError, ValueError) as error:
            errors[part.splits[0]] = error
        else:
            return _Found(part, sheet.choice is not None, errors)
    return _Found(None, False, errors)


def _select_split(plan: Plan, split: str) -> Plan:
    return plan.model_copy(update={"rows": tuple(row for row in plan.rows if row.split == split)})


def _join_messages(errors: dict[str, KeyError | ValueError]) -> str:
    """Return the different messages of errors by split; if there are several, each with the first split it is about."""
    first: dict[str, str] = {}
    for split, error in errors.items():
        first.setdefault(str(error.args[0]), split)
    return "; ".join(f"on {split}, {text}" for text, split in first.items()) if len(first) > 1 else next(iter(first))
