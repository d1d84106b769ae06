"""Tables of papers on the command line: how they are printed, and which plans they are read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from benchmark.cli.console import complete_commands, print_note
from benchmark.cli.indexed_reports import list_split_files, print_indexed_report
from benchmark.cli.report_options import find_convention, read_option, refuse_options, split_keys

if TYPE_CHECKING:
    from benchmark.core.paper_tables import NamedTable
    from benchmark.core.plan import PlanRow
    from benchmark.report.papers.paper_results import PaperResults
    from benchmark.report.rows import Row
    from benchmark.report.tables.selection import SelectedColumns
    from benchmark.store.index.report_index import Report, Sources
    from benchmark.store.store import Store


def print_paper_table(context: typer.Context, store: Store, name: str, *, fmt: str) -> None:
    """Print a paper's table, or what is behind it, with the options of `table`.

    Args:
        context: Context of the command.
        store: Store that holds plans and runs.
        name: Name of the table, PAPER/TABLE.
        fmt: Format.

    Raises:
        BadParameter: An option that such a table has no use for is given.
        KeyError: A name is unknown; the message suggests the nearest.
        ValueError: The paper is invalid, or numbers cannot meet in one table; the message says why.
    """
    from benchmark.store.stored_papers import load_store_table

    refuse_options(context, ["sort", "by_split", "baseline"], name)
    options = context.params
    named = load_store_table(store, name).with_columns(split_keys("--columns", options["columns"]))
    split = read_option("--split", options["split"], "give the name of a split")

    def draw() -> Report:
        from benchmark.report.papers.missing import describe_missing
        from benchmark.report.papers.paper_provenance import render_provenance
        from benchmark.report.papers.paper_table import render_paper
        from benchmark.report.tables.selection import select_columns
        from benchmark.report.tables.typeset import WIDTH
        from benchmark.store.index.report_index import Report

        columns, width = select_columns(named.table.columns), None if options["wide"] else WIDTH
        results = collect_paper_table(store, named, columns, split=split, convention=options["convention"])
        files = list_split_files(results.study.rows if results.study is not None else ())
        if options["provenance"]:
            return Report(render_provenance(results, fmt=fmt, width=width), files=files)
        fill_notes = describe_missing(results)
        text = render_paper(
            results,
            columns,
            fmt=fmt,
            digits=options["digits"],
            width=width,
            has_notes=not options["no_notes"],
            fill_notes=fill_notes,
        )
        has_fill_notes = fmt not in ("csv", "json") and not options["no_notes"]
        return Report(text, closing_notes=_complete_notes(results, fill_notes) if has_fill_notes else (), files=files)

    sources = _find_sources(store, named, split=split)
    return print_indexed_report(context, store, fmt=fmt, sources=sources, draw=draw)


def _complete_notes(results: PaperResults, notes: Sequence[str]) -> tuple[str, ...]:
    """Return those notes below a table whose commands need folders in this place, with these."""
    from benchmark.report.papers.missing import describe_missing

    complete = map(complete_commands, describe_missing(results, spell=str))
    return tuple(note for note in complete if note not in notes)


def _find_sources(store: Store, named: NamedTable, *, split: str) -> Sources | None:
    """Return the plans and runs of a table; None if its file is no part of the package, or if it must be planned."""
    from benchmark.core.table_name import is_paper_file
    from benchmark.store.index.report_index import Sources
    from benchmark.store.named_plans import read_plan_rows, select_table_plans

    rows = read_plan_rows(store, named)
    if is_paper_file(named.name.paper) or _list_unplanned(named, rows, split=split):
        return None
    return Sources(select_table_plans(store, named), [run_id for row in rows for run_id in row.ids.values()])


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
    from benchmark.report.portable_rows import make_portable
    from benchmark.store.stored_papers import is_stored

    def adapt(rows: list[Row]) -> list[Row]:
        return make_portable(store, rows) if is_stored(store, named) else rows

    return collect_paper(
        store,
        named,
        find_plan_rows(store, named, split=split),
        split=split,
        convention=find_convention(convention),
        metrics=columns.metrics,
        has_ranks=columns.has_ranks,
        adapt=adapt,
    )


def find_plan_rows(store: Store, named: NamedTable, *, split: str = "") -> list[PlanRow]:
    """Return the rows of a table: those of its saved plans, on other splits those it would have now, and imported ones.

    A split whose data or weights are not on this machine, and that was never planned in this store, has no rows to run;
    nothing is planned of a paper that is kept in the store.

    Args:
        store: Store that holds plans and runs.
        named: Table.
        split: Name or pattern of the splits to take; empty for those of the table.

    Raises:
        KeyError: A split is unknown; the message suggests the nearest.
        ValueError: Several imports fit a row; the message says how to tell them apart.
    """
    from benchmark.core.paper_tables import choose_datasets
    from benchmark.core.split import load_split, name_split
    from benchmark.store.imported_rows import find_imported_rows
    from benchmark.store.named_plans import read_plan_rows
    from benchmark.store.stored_papers import is_stored

    rows, datasets, plans = read_plan_rows(store, named), choose_datasets(named, split), store.list_plans()
    if not rows and named.name.select_plans(plans):
        print_note(f"{named.name} has changed since it was planned: these are the runs that it has now")
    elif not rows and (changed := named.name.list_changed(plans)):
        print_note(f"no runs of {named.name} here, but of the table with other settings: {', '.join(changed)}")
    known = {row.split for row in rows}
    for place in dict.fromkeys(place for dataset in datasets for place in dataset.splits):
        if name_split(place) not in known:
            load_split(place)  # of a misspelt name, all runs would be missing
    is_planned = store.list_ids() and not is_stored(store, named)
    unplanned = _list_unplanned(named, rows, split=split) if is_planned else []
    planned = [*rows, *(row for place in unplanned for row in _plan_now(store, named, place))]
    return [*planned, *find_imported_rows(store, named, datasets)]


def _list_unplanned(named: NamedTable, rows: Sequence[PlanRow], *, split: str) -> list[str]:
    """Return the splits of a table that no plan has; none if its settings are changed, or if no row is run."""
    from benchmark.core.paper_tables import choose_datasets
    from benchmark.core.split import name_split

    known = {row.split for row in rows}
    places = dict.fromkeys(place for dataset in choose_datasets(named, split) for place in dataset.splits)
    if named.name.change or not named.table.own_rows:
        return []
    return [place for place in places if name_split(place) not in known]


def _plan_now(store: Store, named: NamedTable, split: str) -> Sequence[PlanRow]:
    """Return the rows of a table on a split as they would be planned now; none if its data or weights are not here.

    Raises:
        KeyError: A row cannot be planned anywhere, as a name is unknown; the message suggests the nearest.
        ValueError: A row cannot be planned anywhere; the message says why.
    """
    from benchmark.core.paper_tables import make_table_study
    from benchmark.planning.expand import expand  # needs torch
    from benchmark.planning.plan_cache import plan_study
    from benchmark.planning.resolve import outline

    study = make_table_study(named, [split])
    try:
        return plan_study(study, store, keep=False).plan.rows
    except (ValueError, OSError):  # no data or weights here, so that none of its runs can be known; or no such run
        expand(study, resolve_run=outline)  # refuses what is impossible without files, too
        return ()
