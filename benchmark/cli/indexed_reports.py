"""Reports that are printed from the index beside the store while nothing has changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from benchmark.cli.console import collect_notes, print_note
from benchmark.cli.report_options import print_report

if TYPE_CHECKING:
    from benchmark.report.result_row import ResultRow
    from benchmark.store.index.report_index import Report, Sources
    from benchmark.store.store import Store

_NOT_OPTIONS = ("out", "no_index", "overwrite")
"""Parameters of a command that do not change its report."""


def print_indexed_report(
    context: typer.Context, store: Store, *, fmt: str, sources: Sources | None, draw: Callable[[], Report]
) -> None:
    """Print a report, or write it to a file, with the notes that are printed as it is drawn.

    Args:
        context: Context of the command, whose parameters are options of the report.
        store: Store of the runs.
        fmt: Format.
        sources: What the report is drawn from; None if that is not known in advance.
        draw: Function that draws the report; its notes are printed at once.
    """
    report = draw_from_index(context, store, sources=sources, draw=draw, fmt=fmt)
    print_report(report.text, fmt=fmt, out=context.params["out"])
    for note in report.closing_notes:
        print_note(note)


def draw_from_index(
    context: typer.Context, store: Store, *, sources: Sources | None, draw: Callable[[], Report], fmt: str = ""
) -> Report:
    """Return a report from the index or, if that does not have it, draw it; print the notes before it, see above."""
    from benchmark.store.index.report_index import draw_indexed
    from benchmark.utils.collector_pause import pause_collector

    drawn: list[Report] = []

    def draw_and_collect() -> Report:
        with pause_collector(), collect_notes() as notes:  # of thousands of runs, until they are forgotten
            report = draw()
        drawn.append(replace(report, notes=tuple(notes)))
        return drawn[0]

    if sources is None or context.params["no_index"]:
        return draw_and_collect()
    options = {name: value for name, value in context.params.items() if name not in _NOT_OPTIONS}
    options |= {"command": context.info_name, "fmt": fmt}  # which the suffix of a file may have chosen
    report = draw_indexed(store, options, sources=sources, draw=draw_and_collect)
    for note in () if drawn else report.notes:
        print_note(note)
    return report


def find_sources(store: Store, names: Sequence[str]) -> Sources:
    """Return the plans and runs that a table of some names is drawn from: those of plans, or all there are."""
    from benchmark.report.named_specs import list_candidates
    from benchmark.store.index.report_index import Sources

    plans = [name for name in names if name in store.list_plans()]
    if len(plans) < len(names):
        return Sources(store.list_plans(), store.list_ids())
    ids = [run_id for plan in plans for run_id in store.read_plan(plan).ids]
    return Sources(plans, list(dict.fromkeys([*ids, *(run for name in names for run in list_candidates(store, name))])))


def list_split_files(rows: Sequence[ResultRow]) -> tuple[str, ...]:
    """Return the split files outside of the package that runs were planned with."""
    sources = {record.spec.split_source for row in rows for record in row.records if record.spec.split_source}
    return tuple(sorted(source if Path(source).exists() else source.rpartition("@")[0] for source in sources))
