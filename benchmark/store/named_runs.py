"""Runs that are named on a command line: by planned study, by method or variant, or by ID."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmark.store.exact_names import read_spec
from benchmark.store.method_code import select_code
from benchmark.store.named_plans import select_plans
from benchmark.store.store import Store
from benchmark.store.unknown_names import explain_unknown
from benchmark.utils.method_names import split_method


@dataclass(frozen=True)
class NamedRuns:
    """Runs that some names stand for.

    Attributes:
        ids: IDs of the runs, each once, in the order of the names; runs of a plan need not have a folder.
        plans: Names of the plans among the names.
    """

    ids: tuple[str, ...]
    plans: tuple[str, ...] = ()


def find_named_runs(store: Store, names: Sequence[str]) -> NamedRuns:
    """Find the runs that names stand for.

    Args:
        store: Store that holds the runs.
        names: Planned studies, tables of papers, methods, METHOD/VARIANT, or IDs and unambiguous parts of them.

    Raises:
        KeyError: A name stands for nothing, or for several runs; the message says for what.
        ValueError: A plan is broken.
    """
    plans = {name: select_plans(store, name) for name in names}
    ids = [run_id for name in names for run_id in [*_find_runs(store, name, plans[name]), *_list_imported(store, name)]]
    return NamedRuns(tuple(dict.fromkeys(ids)), tuple(dict.fromkeys(plan for some in plans.values() for plan in some)))


def _list_imported(store: Store, name: str) -> list[str]:
    """Return the IDs of the imported predictions in a table of a paper; none for other names."""
    if "/" not in name:
        return []
    from benchmark.store.imported_rows import find_imported_rows  # takes time that `status` of a study does not need
    from benchmark.store.stored_papers import find_table

    table = find_table(store, name)
    return [] if table is None else [run_id for row in find_imported_rows(store, table) for run_id in row.ids.values()]


def _find_runs(store: Store, name: str, plans: Sequence[str]) -> Sequence[str]:
    if plans:
        return [run_id for plan in plans for run_id in store.read_plan(plan).ids]
    try:
        return [store.find(name)]
    except KeyError as error:
        of_method = _find_runs_of_method(store, name)
        if of_method:
            return of_method
        if "ambiguous" not in str(error.args[0]):
            raise KeyError(explain_unknown(store, name)) from error
        raise


def _find_runs_of_method(store: Store, name: str) -> list[str]:
    """Return the IDs of the runs of a method or variant; unreadable specs are left out."""
    variant, specs = split_method(name)[1], []
    for run_id in store.list_ids():
        try:
            specs.append(read_spec(store.run(run_id)))
        except (OSError, ValueError):
            continue
    return [spec.id for spec in select_code(specs, name) if variant in ("", spec.variant)]
