"""Tables of studies as files in every format, drawn so that any machine with the same runs and code draws the same.

`list_tables` is the one place that says which files belong to a name; export, import and their comparison ask nothing
else.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, count
from typing import NamedTuple

from benchmark.core.study import Plan
from benchmark.report.named_rows import VariantLister, make_plan
from benchmark.report.portable_rows import make_portable
from benchmark.report.rows import Row, read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.selection import DEFAULT, SelectedColumns
from benchmark.report.tables.study_table import render, sort_results
from benchmark.store.store import Store


class TableFile(NamedTuple):
    """A file that can be drawn.

    Attributes:
        name: Name of the file, such as "ablations.tex"; it may be in folders.
        draw: Function that returns its text.
    """

    name: str
    draw: Callable[[], str]


def collect_rows(
    rows: Sequence[Row], columns: SelectedColumns = DEFAULT, *, baseline: str = "", is_by_split: bool = False
) -> StudyResults:
    """Return the results of rows for a table with these columns, in their order.

    Args:
        rows: Rows as `rows.read_rows` returns them.
        columns: Columns of the table.
        baseline: Row that the others are compared with; if empty, the first.
        is_by_split: Whether every split is a group of its own, see `study_results.collect_results`.

    Raises:
        KeyError: The baseline is unknown or ambiguous.
    """
    results = collect_results(rows, baseline=baseline, has_ranks=columns.has_ranks, is_by_split=is_by_split)
    return sort_results(results, columns)


def list_tables(
    store: Store, names: Sequence[str], *, list_variants: VariantLister = lambda _method: ()
) -> list[TableFile]:
    """Return the files of the tables that names stand for: one per name and format, results read once per name.

    Args:
        store: Store that holds the plans and runs.
        names: Names as `named_rows.make_plan` reads them.
        list_variants: Function from a method to its variants, see `named_rows.make_plan`.

    Raises:
        KeyError: A name stands for nothing.
        ValueError: A plan is broken.
    """
    plans = [make_plan(store, [name], list_variants=list_variants) for name in names]
    stems = name_files([plan.study for plan in plans])
    return [file for plan, stem in zip(plans, stems, strict=True) for file in _list_formats(store, plan, stem)]


def name_files(names: Sequence[str]) -> list[str]:
    """Return a different stem of files per name: the name itself without what a file system may misread."""
    stems: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w.+@=-]+", "-", name).strip("-.") or "table"
        taken = {other.casefold() for other in stems}
        numbered = (f"{stem}-{number}" for number in count(2))
        stems.append(next(text for text in chain([stem], numbered) if text.casefold() not in taken))
    return stems


def _list_formats(store: Store, plan: Plan, stem: str) -> list[TableFile]:
    drawn: list[StudyResults] = []

    def draw(fmt: str) -> str:
        if not drawn:
            rows = make_portable(store, read_rows(store, plan, metrics=DEFAULT.metrics))
            drawn.append(collect_rows(rows, baseline=plan.baseline))
        return render(drawn[0], fmt=fmt, title=plan.title)

    return [TableFile(f"{stem}.{fmt}", partial(draw, fmt)) for fmt in FORMATS]
