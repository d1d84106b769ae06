"""Plans of tables in files of the user: a file may have changed since they were saved, or be another of its name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from benchmark.cli.console import print_note

if TYPE_CHECKING:
    from benchmark.core.paper_tables import NamedTable
    from benchmark.store.store import Store


def renew_paper_plans(store: Store, names: Iterable[str]) -> None:
    """Save the plans of tables in files again where they differ from what the files say now.

    A table that cannot be planned here, as its data or weights are elsewhere, keeps its plan, and a note says so.

    Args:
        store: Store that holds the plans.
        names: What a command was given: names of tables, and others.

    Raises:
        KeyError: There is no such file or table; the message names the nearest.
        ValueError: A file is not a valid paper; the message says why.
    """
    for name in names:
        if ".y" not in name:  # no file, which most commands find out without the parts below
            continue
        from benchmark.core.paper_tables import is_table
        from benchmark.core.table_name import is_paper_file
        from benchmark.store.stored_papers import is_stored, load_store_table

        if not is_table(name):
            continue
        named = load_store_table(store, name)
        if is_paper_file(named.name.paper) and not named.name.change and not is_stored(store, named):
            for plan in named.name.select_plans(store.list_plans()):
                _renew(store, named, plan)


def _renew(store: Store, named: NamedTable, plan_name: str) -> None:
    from benchmark.core.paper_tables import make_table_study
    from benchmark.planning.plan_cache import plan_study

    saved = store.read_plan(plan_name)
    try:
        study = make_table_study(named, () if plan_name == named.name.plan else _find_places(named, saved.splits))
        plan = plan_study(study, store, keep=False).plan
    except (KeyError, ValueError, OSError) as error:
        reason = error.args[0] if isinstance(error, KeyError) else error
        print_note(f"{named.name} cannot be planned here, so its runs are those that were planned before ({reason})")
        return
    if plan.study == plan_name and plan != saved:
        store.write_plan(plan)
        print_note(f"{named.name} has changed since it was planned, and is planned again")


def _find_places(named: NamedTable, splits: Sequence[str]) -> list[str]:
    """Return the names of splits, or their paths if the table has them from files."""
    from benchmark.core.split import name_split

    places = {name_split(place): place for place in named.table.splits}
    return [places.get(split, split) for split in splits]
