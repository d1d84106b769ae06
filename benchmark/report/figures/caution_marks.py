"""Marks behind labels whose intervals over seeds need caution, and the legend entries that say which caution."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.lines import Line2D

from benchmark.evaluation.scores import Metric
from benchmark.evaluation.stats import Interval
from benchmark.report.result_row import ResultRow

FLAG = "†"
"""Mark of a caution; a number follows if not all marked labels have the same cautions."""
LEGEND_CHARACTERS = 32
"""Characters in a line of a legend entry."""


@dataclass(frozen=True)
class CautionMarks:
    """Marks of a figure.

    Attributes:
        cautions: Different cautions, in the order of the labels.
        is_shared: Whether all marked labels have all of these cautions.
    """

    cautions: tuple[str, ...]
    is_shared: bool

    def mark(self, label: str, intervals: Iterable[Interval | None]) -> str:
        """Return a label, marked if its intervals need caution, with the numbers of its cautions unless all share them.

        Args:
            label: Label.
            intervals: Intervals that the figure shows beside it.
        """
        own = list_cautions(intervals)
        if not own:
            return label
        numbers = "" if self.is_shared else ",".join(str(self.cautions.index(caution) + 1) for caution in own)
        return f"{label} {FLAG}{numbers}"

    def make_handles(self) -> list[Line2D]:
        """Return the legend entries of the marks: one per caution, or one of all if all marked labels share them."""
        if not self.cautions:
            return []
        texts = [f"{FLAG} {'; '.join(self.cautions)}"]
        if not self.is_shared:
            texts = [f"{FLAG}{number} {caution}" for number, caution in enumerate(self.cautions, start=1)]
        return [Line2D([], [], linewidth=0, label=textwrap.fill(text, LEGEND_CHARACTERS)) for text in texts]


def number_cautions(intervals: Iterable[Iterable[Interval | None]]) -> CautionMarks:
    """Return the marks of a figure.

    Args:
        intervals: Intervals that the figure shows beside each of its labels.
    """
    own = [cautions for some in intervals if (cautions := list_cautions(some))]
    different = {tuple(sorted(cautions)) for cautions in own}
    return CautionMarks(tuple(dict.fromkeys(caution for some in own for caution in some)), len(different) <= 1)


def list_cautions(intervals: Iterable[Interval | None]) -> list[str]:
    """Return the cautions of intervals over seeds; the line of one over images alone says what it covers."""
    texts = (interval.caution for interval in intervals if interval is not None and interval.kind != "images")
    return list(dict.fromkeys(part for text in texts for part in text.split("; ") if part))


def list_intervals(row: ResultRow, metrics: Sequence[Metric]) -> list[Interval | None]:
    """Return the intervals of a row for some metrics; none if no run is done."""
    return [row.estimates[metric].interval for metric in metrics] if row.done else []
