"""Tables of papers on the command line: which plans they are read from, and what fills their missing cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmark.cli.console import format_count
from benchmark.cli.report_options import find_convention
from benchmark.core.run_state import RunState

if TYPE_CHECKING:
    from benchmark.core.paper_tables import NamedTable
    from benchmark.core.study import PlanRow
    from benchmark.report.papers.paper_results import PaperResults
    from benchmark.report.tables.selection import SelectedColumns
    from benchmark.store.store import Store


def collect_paper_table(
    store: Store, named: NamedTable, columns: SelectedColumns, *, split: str = "", convention: str = "d2-main"
) -> PaperResults:
    """Return the results of a paper's table from the runs of a store.

    Args:
        store: Store that holds plans and runs.
        named: Table.
        columns: Columns of each dataset.
        split: Name or pattern of the splits to take; empty for those of the table.
        convention: Name of the convention of the scores.
    """
    from benchmark.report.papers.paper_results import collect_paper

    rows = find_plan_rows(store, named, split=split)
    metrics = columns.metrics
    return collect_paper(store, named, rows, split=split, convention=find_convention(convention), metrics=metrics)


def find_plan_rows(store: Store, named: NamedTable, *, split: str = "") -> list[PlanRow]:
    """Return the planned rows of a table: those of its saved plans, and on other splits those it would have now.

    A split whose data or weights are not on this machine, and that was never planned in this store, has no rows.

    Args:
        store: Store that holds plans and runs.
        named: Table.
        split: Name or pattern of the splits to take; empty for those of the table.
    """
    from benchmark.core.split import name_split
    from benchmark.report.papers.paper_results import choose_datasets

    plans = [store.read_plan(plan) for plan in named.name.select_plans(store.list_plans())]
    rows = [row for plan in plans for row in plan.rows]
    known = {row.split for row in rows}
    places = dict.fromkeys(place for dataset in choose_datasets(named, split) for place in dataset.splits)
    if named.name.change or not store.list_ids():
        return rows
    for place in places:
        if name_split(place) not in known:
            rows += _plan_now(store, named, place)
    return rows


def _plan_now(store: Store, named: NamedTable, split: str) -> Sequence[PlanRow]:
    """Return the rows of a table on a split as they would be planned now; none if they cannot be."""
    from benchmark.core.paper_tables import make_table_study
    from benchmark.planning.plan_cache import plan_study

    try:
        return plan_study(make_table_study(named, [split]), store, keep=False).plan.rows
    except (KeyError, ValueError, OSError):  # no data or weights here, so that none of its runs can be known
        return ()


def describe_missing(results: PaperResults) -> list[str]:
    """Return a note per dataset whose runs are not all done, with the command that computes the missing ones."""
    notes = []
    for index, dataset in enumerate(results.datasets):
        runs = [run for cell in results.get_column(index) if cell.row is not None for run in _list_needed(cell.row)]
        missing = [state for state in runs if state is not RunState.DONE]
        if missing:
            name = results.named.name
            splits = f" --split {dataset.split}" if dataset.split else ""
            command = f"chimera-bench run {name}{splits}"
            notes.append(
                f"{dataset.label}: {len(missing)} of {format_count(len(runs), 'run')} missing. To compute them: "
                f"{command} (or submit); chimera-bench missing {name}{splits} lists them and their cost."
            )
    return notes


def _list_needed(row: object) -> list[RunState]:
    """Return the states of the runs that a row needs: of a deterministic one, the first alone."""
    from benchmark.report.result_row import ResultRow

    assert isinstance(row, ResultRow)
    return [RunState.DONE] if row.is_complete else [run.state for run in row.runs]
