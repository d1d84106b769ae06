"""Plans that a name stands for. No run needs this module, so that a change of it makes no result stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.core.paper_tables import NamedTable
    from benchmark.core.plan import PlanRow


def select_table_plans(store: Store, named: NamedTable) -> list[str]:
    """Return the plans of a paper's table that were made from the rows that it has now.

    Its file may have changed since, or be another one of this name. Plans of older versions do not say what they were
    made from, and are taken.

    Raises:
        ValueError: A plan is broken; the message says what to do.
    """
    plans = named.name.select_plans(store.list_plans())
    return [plan for plan in plans if store.read_plan(plan).rows_digest in ("", named.rows_digest)]


def read_plan_rows(store: Store, named: NamedTable) -> list[PlanRow]:
    """Return the rows of all plans of a paper's table, see `select_table_plans`."""
    return [row for plan in select_table_plans(store, named) for row in store.read_plan(plan).rows]


def select_plans(store: Store, name: str) -> list[str]:
    """Return the plans that a name stands for: that of a study, or those of a table of a paper; none for others.

    Args:
        store: Store that holds the plans.
        name: Name of a study, PAPER/TABLE, or anything else.

    Raises:
        ValueError: A plan of the table is broken, or its file is not a valid paper; the message says what to do.
    """
    plans = store.list_plans()
    if name in plans or "/" not in name:
        return [name] if name in plans else []

    from benchmark.core.paper_tables import is_table, read_name  # takes a third of the time of `status`
    from benchmark.store.stored_papers import find_table

    if not is_table(name):
        return []
    named = find_table(store, name)
    return read_name(name).select_plans(plans) if named is None else select_table_plans(store, named)
