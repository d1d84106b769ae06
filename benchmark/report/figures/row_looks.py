"""Looks of the rows of a figure: label, color, marker and line, the same in every figure of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from benchmark.report.figures.captions import mark_splits
from benchmark.report.figures.short_labels import shorten_labels
from benchmark.report.figures.style import choose_colors, choose_lines, choose_markers
from benchmark.report.result_row import ResultRow


class RowLook(NamedTuple):
    """Look of a row.

    Attributes:
        row: Row.
        label: Short label, with the number of splits if the row lacks some.
        color: Color.
        marker: Marker.
        line: Line style.
    """

    row: ResultRow
    label: str
    color: tuple[float, float, float]
    marker: str
    line: Any


def choose_looks(rows: Sequence[ResultRow]) -> list[RowLook]:
    """Return the looks of the rows with a defined hIoU; a row looks the same whatever other rows lack a result."""
    short = shorten_labels([row.label for row in rows])
    labels = [mark_splits(row, label) for row, label in zip(rows, short, strict=True)]
    count = len(rows)
    looks = zip(rows, labels, choose_colors(count), choose_markers(count), choose_lines(count), strict=True)
    return [RowLook(*look) for look in looks if has_hiou(look[0])]


def has_hiou(row: ResultRow) -> bool:
    """Return whether the hIoU of a row is defined."""
    return bool(row.done) and not math.isnan(row.estimates["hiou"].mean)
