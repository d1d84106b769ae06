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

from benchmark.core.paper_tables import is_table
from benchmark.core.plan import Plan
from benchmark.report.named_rows import VariantLister, make_plan
from benchmark.report.papers.portable_papers import draw_portable_paper, list_paper_plans
from benchmark.report.portable_rows import make_portable
from benchmark.report.rows import Row, read_rows
from benchmark.report.study_results import StudyResults, collect_results
from benchmark.report.tables.formats import FORMATS
from benchmark.report.tables.selection import DEFAULT, SelectedColumns
from benchmark.report.tables.study_table import render, sort_results
from benchmark.store.store import Store
from benchmark.store.stored_papers import load_archived_table


class DrawableTable(NamedTuple):
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
) -> list[DrawableTable]:
    """Return the files of the tables that names stand for: one per name and format, results read once per name.

    Args:
        store: Store that holds the plans and runs.
        names: Names as `named_rows.make_plan` reads them.
        list_variants: Function from a method to its variants, see `named_rows.make_plan`.

    Raises:
        KeyError: A name stands for nothing.
        ValueError: A plan is broken.
    """
    drawings = [drawing for name in names for drawing in _list_drawings(store, name, list_variants)]
    stems = name_files([drawing.name for drawing in drawings])
    return [
        DrawableTable(f"{stem}.{fmt}", partial(drawing.draw, fmt))
        for drawing, stem in zip(drawings, stems, strict=True)
        for fmt in FORMATS
    ]


def name_files(names: Sequence[str]) -> list[str]:
    """Return a different stem of files per name: the name itself without what a file system may misread."""
    stems: list[str] = []
    for name in names:
        stem = re.sub(r"[^\w.+@=-]+", "-", name).strip("-.") or "table"
        taken = {other.casefold() for other in stems}
        numbered = (f"{stem}-{number}" for number in count(2))
        stems.append(next(text for text in chain([stem], numbered) if text.casefold() not in taken))
    return stems


class _Drawing(NamedTuple):
    """A table that is drawn in any format."""

    name: str
    draw: Callable[[str], str]


def _list_drawings(store: Store, name: str, list_variants: VariantLister) -> list[_Drawing]:
    """Return the tables that a name stands for: several for a table of a paper, if it was planned on other splits."""
    if is_table(name):
        named = load_archived_table(store, name)
        return [
            _Drawing(plan, partial(draw_portable_paper, store, named, split=split))
            for plan, split in list_paper_plans(store, named)
        ]
    plan = make_plan(store, [name], list_variants=list_variants)
    return [_Drawing(plan.study, _make_study_drawing(store, plan))]


def _make_study_drawing(store: Store, plan: Plan) -> Callable[[str], str]:
    """Return the function that draws the table of a plan, whose results are read once."""
    drawn: list[StudyResults] = []

    def draw(fmt: str) -> str:
        if not drawn:
            rows = make_portable(store, read_rows(store, plan, metrics=DEFAULT.metrics))
            drawn.append(collect_rows(rows, baseline=plan.baseline))
        return render(drawn[0], fmt=fmt, title=plan.title)

    return draw
