"""Merging of plans: seeds that another machine ran join the rows; plans that differ otherwise are kept apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from benchmark.core.plan import Plan, PlanRow
from benchmark.store.store import Store


@dataclass(frozen=True)
class PlanMerge:
    """What becomes of a plan of the other store.

    Attributes:
        name: Name of the plan there.
        action: "new", "identical", "merged", "kept apart", "merged already" or "broken".
        plan: Plan to write; None if nothing is written.
        reason: Explanation in one line; may be empty.
    """

    name: str
    action: str
    plan: Plan | None = None
    reason: str = ""


def merge_plans(ours: Store, theirs: Store) -> list[PlanMerge]:
    """Return what becomes of each plan of the other store; nothing is written."""
    return [_merge_plan(ours, theirs, name) for name in theirs.list_plans()]


def _merge_plan(ours: Store, theirs: Store, name: str) -> PlanMerge:
    try:
        other = theirs.read_plan(name)
    except ValueError as error:
        return PlanMerge(name, "broken", reason=str(error))
    if other.study != name:  # it would be written under that name, over a plan of ours or out of the store
        return PlanMerge(name, "broken", reason=f"the file holds the plan of another study, {other.study!r}")
    if name not in ours.list_plans():
        return PlanMerge(name, "new", other)
    try:
        mine = ours.read_plan(name)
    except ValueError as error:
        return PlanMerge(name, "broken", reason=f"ours is broken: {error}")
    if mine == other:
        return PlanMerge(name, "identical")
    joined = join_plans(mine, other)
    if joined is not None:
        return PlanMerge(name, "identical") if joined == mine else PlanMerge(name, "merged", joined)
    apart = other.model_copy(update={"study": f"{name}-{hashlib.sha256(other.canonical().encode()).hexdigest()[:8]}"})
    if apart.study in ours.list_plans():
        return PlanMerge(name, "kept apart already", reason=f"as {apart.study}")
    return PlanMerge(name, "kept apart", apart, reason=f"its rows are others than ours; saved as {apart.study}")


def join_plans(first: Plan, second: Plan) -> Plan | None:
    """Return the plan with the seeds of both; None if they differ in more than their seeds.

    Rows are equal if label, method and split are, and if seeds that both have name the same run.
    """
    plain = {"rows": (), "rows_digest": ""}  # equal rows are equal, whatever the table was when they were planned
    if first.model_copy(update=plain) != second.model_copy(update=plain):
        return None
    if [_identify_row(row) for row in first.rows] != [_identify_row(row) for row in second.rows]:
        return None
    rows = [_join_rows(mine, other) for mine, other in zip(first.rows, second.rows, strict=True)]
    if any(row is None for row in rows):
        return None
    return first.model_copy(update={"rows": tuple(rows)})


def _join_rows(mine: PlanRow, other: PlanRow) -> PlanRow | None:
    shared: Iterable[int] = mine.ids.keys() & other.ids.keys()
    if any(mine.ids[seed] != other.ids[seed] for seed in shared):
        return None
    return mine.model_copy(update={"ids": dict(sorted((mine.ids | other.ids).items()))})


def _identify_row(row: PlanRow) -> tuple[object, ...]:
    return tuple(value for name, value in row if name != "ids")
