"""The plan of a study whose rows need nothing from the files of their runs to be told apart."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from benchmark.core.plan import Plan
from benchmark.report.split_selection import select_on_split
from benchmark.store.store import Store


def find_single_plan(store: Store, names: Sequence[str], *, split: str) -> Plan | None:
    """Return the plan of the study that a single name stands for, if its own words tell its rows apart; else None.

    No two rows on a split then have one label, and no two can be runs of one row: their ids differ before the seed.

    Args:
        store: Store that holds the plans.
        names: Names, see `named_rows.make_plan`.
        split: Name or file of the only split to take, or pattern of names; if empty, all.

    Raises:
        KeyError: No row is on the split.
        ValueError: The plan is broken.
    """
    if len(names) != 1 or names[0] not in store.list_plans():
        return None
    plan = store.read_plan(names[0])
    labels = [(row.split, row.label) for row in plan.rows]
    stems = [stem for row in plan.rows for stem in sorted({_cut_seed(run_id) for run_id in row.ids.values()})]
    if not (_are_different(labels) and _are_different(stems)):
        return None
    rows = select_on_split(plan.rows, split, lambda row: row.split, place=f"{names[0]} in {store.root}")
    order = list(dict.fromkeys(row.split for row in rows))
    return plan.model_copy(update={"rows": tuple(sorted(rows, key=lambda row: order.index(row.split)))})


def _cut_seed(run_id: str) -> str:
    """Return method, variant, overrides, split and protocol of an id, without the seed and the digest behind them."""
    return run_id.rpartition("-")[0].rpartition("-")[0]


def _are_different(values: Sequence[Hashable]) -> bool:
    return len(set(values)) == len(values)
