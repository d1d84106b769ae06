"""The columns of a study's table: what stands in each field, before it is typeset."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from benchmark.core.run_record import Cost
from benchmark.evaluation.scores import Metric
from benchmark.report.paired import Difference
from benchmark.report.rows import SHOWN, Estimate, Row
from benchmark.report.tables.sheet import Entry

SCORE_HEADERS: dict[Metric, str] = {"miou_seen": "mIoU(S)", "miou_unseen": "mIoU(U)", "hiou": "hIoU"}
NOTHING = "-"


@dataclass(frozen=True)
class Column:
    """A header and one entry a row; words are aligned left, figures right."""

    header: str
    entries: tuple[Entry, ...]
    is_words: bool = False


def score_columns(rows: Sequence[Row], *, digits: int = 1) -> list[Column]:
    """mIoU of seen and unseen classes and hIoU, the best of each supervision class marked."""
    return [Column(SCORE_HEADERS[metric], _scores(rows, metric, digits=digits)) for metric in SHOWN]


def difference_columns(differences: Sequence[Difference | None], *, digits: int = 1) -> list[Column]:
    """Difference of hIoU to the first row with its interval, and the adjusted p value."""
    entries = [difference_entries(one, digits=digits) for one in differences]
    return [Column("ΔhIoU", tuple(change for change, _ in entries)), Column("p", tuple(value for _, value in entries))]


def cost_columns(rows: Sequence[Row]) -> list[Column]:
    """Parameters, operations at test, training time and latency."""
    costs = [row.cost for row in rows]
    unit, seconds = time_unit(max((cost.train_seconds for cost in costs if cost is not None), default=0.0))
    return [
        _cost_column("Params (M)", costs, _parameters),
        _cost_column("GFLOPs", costs, lambda cost: three_figures(cost.inference_flops / 1e9)),
        _cost_column(f"Train ({unit})", costs, lambda cost: three_figures(cost.train_seconds / seconds)),
        _cost_column("Test (ms)", costs, lambda cost: three_figures(cost.latency_ms)),
    ]


def seeds_column(rows: Sequence[Row]) -> Column:
    """How many runs a row rests on; "3/5" where some are missing."""
    return Column("n", tuple(Entry(seeds_text(row)) for row in rows))


def supervision_column(rows: Sequence[Row]) -> Column:
    """What every row saw of the truth."""
    return Column("Supervision", tuple(Entry(row.supervision or NOTHING) for row in rows), is_words=True)


def estimate_entry(estimate: Estimate, *, digits: int) -> Entry:
    """A mean; behind it ± for an interval over seeds, [low, high] for one over images."""
    mean, interval = estimate
    spread = ""
    if interval is not None and interval.kind == "seeds":
        spread = f"±{(interval.high - interval.low) / 2:.{digits}f}"
    elif interval is not None:
        spread = f"[{interval.low:.{digits}f}, {interval.high:.{digits}f}]"
    return Entry(number(mean, digits=digits), spread)


def difference_entries(difference: Difference | None, *, digits: int) -> tuple[Entry, Entry]:
    """A difference with its interval, and its adjusted p value."""
    if difference is None:
        return Entry(NOTHING), Entry(NOTHING)
    interval = difference.paired.interval
    spread = f"[{signed(interval.low, digits=digits)}, {signed(interval.high, digits=digits)}]"
    return Entry(signed(difference.paired.difference, digits=digits), spread), Entry(p_text(difference.p_adjusted))


def seeds_text(row: Row) -> str:
    """ "5", or "3/5" where some are missing."""
    return str(len(row.done)) if row.is_complete else f"{len(row.done)}/{len(row.cells)}"


def number(value: float, *, digits: int) -> str:
    """A score with so many decimals; "n/a" where it is not defined."""
    return "n/a" if math.isnan(value) else f"{value:.{digits}f}"


def signed(value: float, *, digits: int) -> str:
    """A difference with its sign; no sign where it prints as zero."""
    text = f"{value:+.{digits}f}"
    return text[1:] if float(text) == 0 else text


def p_text(value: float) -> str:
    """Two figures, "<0.001" below that."""
    return "<0.001" if value < 0.001 else f"{value:.3f}" if value < 0.01 else f"{value:.2f}"


def three_figures(value: float) -> str:
    """Three figures, without exponent: 0.123, 1.23, 12.3, 123, 1234."""
    if value == 0:
        return "0"
    decimals = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 4)}f}"


def time_unit(longest_s: float) -> tuple[str, float]:
    """The unit that suits the longest of several times, and how many seconds it has."""
    return ("s", 1.0) if longest_s < 120 else ("min", 60.0) if longest_s < 7200 else ("h", 3600.0)


def _scores(rows: Sequence[Row], metric: Metric, *, digits: int) -> tuple[Entry, ...]:
    best = _best(rows, metric, digits=digits)
    entries = []
    for row in rows:
        if not row.done:
            entries.append(Entry(row.state if metric == "hiou" else NOTHING))
            continue
        entry = estimate_entry(row.estimates[metric], digits=digits)
        entries.append(replace(entry, is_best=row.is_complete and best.get(row.supervision) == entry.text))
    return tuple(entries)


def _best(rows: Sequence[Row], metric: Metric, *, digits: int) -> dict[str, str]:
    """The highest printed score of every supervision class in which at least two complete rows compete."""
    printed: dict[str, list[str]] = {}
    for row in rows:
        if row.is_complete and not math.isnan(row.estimates[metric].mean):
            printed.setdefault(row.supervision, []).append(number(row.estimates[metric].mean, digits=digits))
    return {supervision: max(texts, key=float) for supervision, texts in printed.items() if len(texts) > 1}


def _cost_column(header: str, costs: Sequence[Cost | None], text: Callable[[Cost], str]) -> Column:
    return Column(header, tuple(Entry(text(cost) if cost is not None else NOTHING) for cost in costs))


def _parameters(cost: Cost) -> str:
    return f"{three_figures(cost.trainable_parameters / 1e6)} / {three_figures(cost.total_parameters / 1e6)}"
