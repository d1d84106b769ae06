"""Plans that a name stands for. No run needs this module, so that a change of it makes no result stale."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmark.store.store import Store

if TYPE_CHECKING:
    from benchmark.core.study import PlanRow
    from benchmark.core.table_name import TableName


def read_plan_rows(store: Store, name: TableName) -> list[PlanRow]:
    """Return the rows of all plans of a paper's table.

    Raises:
        ValueError: A plan is broken; the message says what to do.
    """
    return [row for plan in name.select_plans(store.list_plans()) for row in store.read_plan(plan).rows]


def select_plans(store: Store, name: str) -> list[str]:
    """Return the plans that a name stands for: that of a study, or those of a table of a paper; none for others.

    Args:
        store: Store that holds the plans.
        name: Name of a study, PAPER/TABLE, or anything else.
    """
    plans = store.list_plans()
    if name in plans or "/" not in name:
        return [name] if name in plans else []

    from benchmark.core.paper_tables import is_table, read_name  # takes a third of the time of `status`

    return read_name(name).select_plans(plans) if is_table(name) else []
