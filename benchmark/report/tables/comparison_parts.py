"""Tables of a comparison's parts: the difference split by split, and that of every class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from benchmark.evaluation.scores import Metric
from benchmark.report.class_differences import ClassDifference
from benchmark.report.comparison import MethodComparison, SplitDifference
from benchmark.report.differences import AdjustedDifference
from benchmark.report.split_names import list_splits, shorten_splits
from benchmark.report.tables.cautions import name_cautions
from benchmark.report.tables.cells import format_change
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.layout import UNSEEN_MARK, TableCell, TableLayout, TableNote
from benchmark.report.tables.numbers import NOTHING, format_difference, format_score

HEADER = ("A", "B", "A - B")


def lay_out_splits(comparison: MethodComparison, *, digits: int) -> TableLayout:
    """Return the table of a score on every split, the largest difference first; no rows if there is one split."""
    metric: Metric = "hiou" if "hiou" in comparison.a.metrics else comparison.a.metrics[0]
    names = dict(
        zip(
            [split.split for split in comparison.splits],
            shorten_splits([split.split for split in comparison.splits]) if comparison.splits else [],
            strict=True,
        )
    )

    def rank(split: SplitDifference) -> float:
        return -split.differences[metric].difference if metric in split.differences else math.inf

    cells = [
        (
            TableCell(names[split.split]),
            *(TableCell(format_score(row.estimates[metric].mean, digits=digits)) for row in (split.a, split.b)),
            _format_change(split, metric, digits=digits),
            TableCell(", ".join(split.unseen)),
        )
        for split in sorted(comparison.splits, key=rank)
    ]
    cautions = name_cautions(
        {
            names[split.split]: split.differences[metric].interval.caution
            for split in comparison.splits
            if metric in split.differences
        }
    )
    note = TableNote(
        f"Splits: {list_splits(list(names))}. Each with the interval that it alone would have, which does not cover "
        "the choice of classes. Other scores are in the csv and json formats."
        + (f" These intervals need caution ({'; '.join(cautions)})." if cautions else "")
    )
    header = ("Split", *HEADER, "Unseen classes")
    return TableLayout(
        f"{SCORE_HEADERS[metric]} split by split (%)", header, (True, False, False, False, True), tuple(cells), (note,)
    )


def _format_change(split: SplitDifference, metric: Metric, *, digits: int) -> TableCell:
    paired = split.differences.get(metric)
    known = None if paired is None else AdjustedDifference(paired, math.nan)
    return TableCell("n/a") if known is None else format_change(known, digits=digits)[0]


def lay_out_classes(comparison: MethodComparison, *, digits: int) -> TableLayout:
    """Return the table of classes: unseen ones first, then by the gain of A."""
    if comparison.splits:
        return _lay_out_roles(comparison, digits=digits)
    cells = [
        (TableCell(row.name + ("" if row.is_seen else UNSEEN_MARK)), *_format_class(row, digits=digits)[:3])
        for rows in (_name_kinds(comparison), comparison.classes)
        for row in sorted(rows, key=_rank)
    ]
    mark = f"{UNSEEN_MARK} unseen in training. " if not all(row.is_seen for row in comparison.classes) else ""
    note = TableNote(f"{mark}Means over the runs; single classes are not tested.")
    return TableLayout("IoU per class (%)", ("Class", *HEADER), (True, False, False, False), tuple(cells), (note,))


def _lay_out_roles(comparison: MethodComparison, *, digits: int) -> TableLayout:
    """Return the table of classes over several splits: what A gains on a class that is unseen, and on one seen."""
    cells = [
        cells for rows in (_name_kinds(comparison), comparison.classes) for cells in _list_roles(rows, digits=digits)
    ]
    header = ("Class", *_name_columns("unseen"), *_name_columns("seen"))
    note = TableNote(
        "Means over the splits on which a class is unseen, and over those on which it is seen; n: number of these "
        "splits. Single classes are not tested."
    )
    return TableLayout("IoU per class (%)", header, (True, *[False] * 8), tuple(cells), (note,))


def _name_kinds(comparison: MethodComparison) -> list[ClassDifference]:
    return [replace(row, name=f"all {row.name}") for row in comparison.kinds]


def _list_roles(rows: Sequence[ClassDifference], *, digits: int) -> list[tuple[TableCell, ...]]:
    """Return a line for each name: what A gains where it is unseen, and where it is seen."""
    seen = {row.name: row for row in rows if row.is_seen}
    unseen = {row.name: row for row in rows if not row.is_seen}
    order = sorted(unseen.values(), key=_rank)
    order += sorted((row for name, row in seen.items() if name not in unseen), key=_rank)
    return [
        (
            TableCell(row.name),
            *_format_class(unseen.get(row.name), digits=digits),
            *_format_class(seen.get(row.name), digits=digits),
        )
        for row in order
    ]


def _name_columns(role: str) -> Sequence[str]:
    first, *others = (*HEADER, "n")
    return [f"{role}: {first}", *others]


def _rank(row: ClassDifference) -> tuple[bool, bool, float]:
    return row.is_seen, math.isnan(row.difference), -row.difference


def _format_class(row: ClassDifference | None, *, digits: int) -> list[TableCell]:
    """Return the cells of both scores, their difference and the number of splits; dashes if there are none."""
    if row is None:
        return [TableCell(NOTHING)] * 4
    change = "n/a" if math.isnan(row.difference) else format_difference(row.difference, digits=digits)
    scores = [TableCell(format_score(value, digits=digits)) for value in (row.a, row.b)]
    return [*scores, TableCell(change), TableCell(str(row.num_splits))]
