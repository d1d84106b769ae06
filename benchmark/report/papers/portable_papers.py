"""Tables of papers as files that any machine with the same runs and code draws alike."""

from __future__ import annotations

from functools import partial

from benchmark.core.paper_tables import NamedTable, choose_datasets
from benchmark.core.split import name_split
from benchmark.report.papers.missing import describe_missing
from benchmark.report.papers.paper_results import collect_paper
from benchmark.report.papers.paper_table import render_paper
from benchmark.report.portable_rows import make_portable
from benchmark.report.tables.selection import select_columns
from benchmark.store.imported_rows import find_imported_rows
from benchmark.store.named_plans import read_plan_rows
from benchmark.store.store import Store


def list_paper_plans(store: Store, named: NamedTable) -> list[tuple[str, str]]:
    """Return what is to be drawn of a table: names of files, each with its split; no split for those of the table.

    Args:
        store: Store that holds the plans.
        named: Table.
    """
    own = set(map(name_split, named.table.splits))
    rows = [*read_plan_rows(store, named), *find_imported_rows(store, named)]
    splits = dict.fromkeys(row.split for row in rows)
    others = [split for split in splits if split not in own]
    places = [*([[]] if own & set(splits) else []), *([split] for split in others)]
    return [(f"{named.name.name_plan(place)}{named.name.change}", "".join(place)) for place in places]


def draw_portable_paper(store: Store, named: NamedTable, fmt: str, *, split: str = "") -> str:
    """Return a table from the plans of a store, without what only this machine knows.

    Args:
        store: Store that holds plans and runs.
        named: Table.
        fmt: Format, one of `formats.FORMATS`.
        split: The only split to take; empty for those of the table.
    """
    columns = select_columns(named.table.columns)
    rows = [*read_plan_rows(store, named), *find_imported_rows(store, named, choose_datasets(named, split))]
    results = collect_paper(
        store, named, rows, split=split, metrics=columns.metrics, adapt=partial(make_portable, store)
    )
    return render_paper(results, columns, fmt=fmt, fill_notes=describe_missing(results))
