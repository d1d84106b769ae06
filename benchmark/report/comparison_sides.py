"""Sides of a comparison: the runs that a user names, on one split or on several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from benchmark.core.plan import Plan, PlanRow
from benchmark.core.run_spec import IMPORTED
from benchmark.report.named_rows import make_plan
from benchmark.store.store import Store
from benchmark.utils.did_you_mean import list_names
from benchmark.utils.method_names import is_method_path, split_method

SplitRuns: TypeAlias = Mapping[str, Mapping[int, str]]
"""Ids of runs by split and seed."""


def find_runs(store: Store, text: str, *, plan: Plan | None = None, split: str = "") -> tuple[str, SplitRuns]:
    """Find the runs that a user names as one side of a comparison: one row, which may stand on several splits.

    Args:
        store: Store that holds the runs.
        text: Row of the plan, or anything that `named_rows.make_plan` takes and that stands for one row.
        plan: Plan whose rows may be named.
        split: Name or file of the split of the row; if empty, any.

    Returns:
        A label, and the ids of the runs by split and seed.

    Raises:
        KeyError: Nothing matches, or the text is ambiguous.
    """
    rows = [] if plan is None else [row for row in plan.rows if _is_called(row, text)]
    if not rows:
        try:
            rows = _find_rows(store, text, split)
        except KeyError as error:
            if plan is None:
                raise
            labels = list_names(text, dict.fromkeys(repr(row.label) for row in plan.rows))
            raise KeyError(f"{error.args[0]}; rows of {plan.study}: {labels}") from error
        rows = [row if row.method in (IMPORTED, "") else _add_method(row) for row in rows]
    path = split_method(text)[0] if is_method_path(text) else ""
    exact = [row for row in rows if _is_called(row, text)]
    rows = exact if len({(row.method, row.label) for row in exact}) == 1 else rows
    if len({row.split for row in rows}) < len(rows) or len({(row.method, row.label) for row in rows}) > 1:
        names, advice = list(dict.fromkeys(_name(row, path) for row in rows)), "name one of them"
        if len(names) == 1:
            names = [f"{row.label!r} on {row.split} ({next(iter(row.ids.values()))})" for row in rows]
            advice = _advise(rows)
        listed = list_names(text, names)
        raise KeyError(f"{text!r} stands for {len(rows)} rows, and a side of a comparison is one: {advice} ({listed})")
    return rows[0].label, {row.split: dict(row.ids) for row in rows}


def _advise(rows: Sequence[PlanRow]) -> str:
    """Return how to name one of several rows with equal labels."""
    if len({(row.label, row.split) for row in rows}) == len(rows):
        return "name its split with --split, or one of its runs"
    return "some share a split and differ in other settings or the content of the split's file, so name one of the runs"


def _find_rows(store: Store, text: str, split: str) -> list[PlanRow]:
    """Return the rows that a text stands for; it may be a label with what tells a row from others of its name."""
    try:
        return list(make_plan(store, [text], split=split).rows)
    except KeyError:
        name, bracket, _ = text.rpartition(" [")
        rows = _find_rows(store, name, split) if bracket else []
        called = [row for row in rows if row.label in (text, split_method(text)[1])]
        if not called:
            raise
        return called


def _name(row: PlanRow, path: str) -> str:
    """Return a row as a command names it, with the path of the method's file if the user gave it."""
    return repr(row.label.replace(row.method, path, 1) if path else row.label)


def _add_method(row: PlanRow) -> PlanRow:
    return row.model_copy(update={"label": f"{row.method}/{row.label}"})


def _is_called(row: PlanRow, text: str) -> bool:
    """Return whether a text is the label of a row or METHOD/LABEL, whatever its case."""
    return text.strip().casefold() in (row.label.casefold(), f"{row.method}/{row.label}".casefold())
