"""Comparison of two methods as tables for people and as JSON for programs."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from benchmark.core.run_record import Cost
from benchmark.report.comparison import ClassDifference, MethodComparison
from benchmark.report.differences import AdjustedDifference
from benchmark.report.frame import list_records
from benchmark.report.rows import TABLE_METRICS, find_shared_setting
from benchmark.report.tables import typeset
from benchmark.report.tables.cells import format_change, format_estimate
from benchmark.report.tables.columns import SCORE_HEADERS, TableRow, build_row_frame
from benchmark.report.tables.json_text import dump_json
from benchmark.report.tables.layout import UNSEEN_MARK, TableCell, TableLayout, TableNote
from benchmark.report.tables.notes import CONVENTION_TEXTS, describe_gamma
from benchmark.report.tables.numbers import NOTHING, format_difference, format_score, format_three_digits
from benchmark.utils.did_you_mean import explain_unknown_name

Format = Literal["txt", "md", "tex", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
HEADER = ("A", "B", "A - B")

COST_FIGURES: dict[str, Callable[[Cost], float]] = {
    "trainable parameters (M)": lambda cost: cost.trainable_parameters / 1e6,
    "total parameters (M)": lambda cost: cost.total_parameters / 1e6,
    "GFLOPs, test image": lambda cost: cost.inference_flops / 1e9,
    "GFLOPs, training image": lambda cost: cost.training_flops / 1e9,
    "test image (ms)": lambda cost: cost.latency_ms,
    "training (s)": lambda cost: cost.train_seconds,
    "peak memory (MB)": lambda cost: cost.peak_memory_mb,
}


def render(comparison: MethodComparison, *, fmt: str = "txt", digits: int = 1) -> str:
    """Return a comparison as text.

    Args:
        comparison: Comparison as `comparison.compare_runs` returns it.
        fmt: Format, one of `FORMATS`.
        digits: Decimals of scores.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("format of a comparison", fmt, FORMATS))
    if fmt == "json":
        return _to_json(comparison)
    layouts = [
        _lay_out_scores(comparison, digits=digits),
        _lay_out_classes(comparison, digits=digits),
        _lay_out_costs(comparison),
    ]
    typeset_table = {"txt": typeset.to_text, "md": typeset.to_markdown, "tex": typeset.to_latex}[fmt]
    return "\n".join(typeset_table(layout) for layout in layouts if layout.cells)


def _lay_out_scores(comparison: MethodComparison, *, digits: int) -> TableLayout:
    sides = build_row_frame([TableRow(comparison.a), TableRow(comparison.b)]).to_dict("records")
    cells = []
    for metric in TABLE_METRICS:
        scores = [format_estimate(side, metric, digits=digits) for side in sides]
        changes = format_change(comparison.differences.get(metric), digits=digits)
        cells.append((TableCell(SCORE_HEADERS[metric]), *scores, *changes))
    numbers = [f"{len(row.done)} run{'' if len(row.done) == 1 else 's'}" for row in (comparison.a, comparison.b)]
    return TableLayout(
        title=f"A: {comparison.a.label} ({numbers[0]})   B: {comparison.b.label} ({numbers[1]})",
        header=("Score", *HEADER, "p"),
        is_text=(True, False, False, False, False),
        cells=tuple(cells),
        notes=tuple(TableNote(text) for text in _describe_comparison(comparison)),
    )


def _lay_out_classes(comparison: MethodComparison, *, digits: int) -> TableLayout:
    """Return the table of classes: unseen ones first, then by the gain of A."""

    def rank(difference: ClassDifference) -> tuple[bool, bool, float]:
        return difference.is_seen, math.isnan(difference.difference), -difference.difference

    cells = [
        (
            TableCell(row.name + ("" if row.is_seen else UNSEEN_MARK)),
            TableCell(format_score(row.a, digits=digits)),
            TableCell(format_score(row.b, digits=digits)),
            TableCell("n/a" if math.isnan(row.difference) else format_difference(row.difference, digits=digits)),
        )
        for row in sorted(comparison.classes, key=rank)
    ]
    note = TableNote(f"{UNSEEN_MARK} unseen in training. Means over the runs; single classes are not tested.")
    return TableLayout("IoU per class (%)", ("Class", *HEADER), (True, False, False, False), tuple(cells), (note,))


def _lay_out_costs(comparison: MethodComparison) -> TableLayout:
    cost_a, cost_b = comparison.a.cost, comparison.b.cost
    cells = []
    if cost_a is not None and cost_b is not None:
        for name, figure in COST_FIGURES.items():
            a, b = figure(cost_a), figure(cost_b)
            ratio = f"{format_three_digits(a / b)}x" if b else NOTHING
            texts = (name, format_three_digits(a), format_three_digits(b), ratio)
            cells.append(tuple(TableCell(text) for text in texts))
    return TableLayout("Cost", ("Figure", "A", "B", "A / B"), (True, False, False, False), tuple(cells), ())


def _describe_comparison(comparison: MethodComparison) -> list[str]:
    convention = comparison.a.convention
    gamma = f"Offset gamma: {describe_gamma(comparison.a)}."
    texts = [f"Scores in percent; IoU convention {convention}: {CONVENTION_TEXTS[convention]}. {gamma}"]
    first = next(iter(comparison.differences.values()), None)
    if first is not None:
        paired = first.paired
        texts.append(
            f"A - B: percentage points, {paired.interval.level:.0%} interval of a paired bootstrap over "
            f"{paired.interval.kind} ({paired.images} images, {paired.replicates} replicates); p: two-sided, Holm over "
            f"{len(comparison.differences)} scores."
        )
    estimates = [estimate for row in (comparison.a, comparison.b) for estimate in row.estimates.values()]
    kinds = {estimate.interval.kind for estimate in estimates if estimate.interval}
    if "seeds" in kinds:
        texts.append("±: half width of Student's t 95% interval over the seeds.")
    if "images" in kinds:
        texts.append("[low, high] of A and of B: 95% bootstrap interval over the images.")
    return texts + [f"Caution: {text}." for text in comparison.cautions]


def _to_json(comparison: MethodComparison) -> str:
    rows = (comparison.a, comparison.b)
    setting = find_shared_setting(rows)
    sides = list_records(build_row_frame([TableRow(row, setting) for row in rows]))
    value: dict[str, Any] = {
        side: fields | {"run_ids": [run.run_id for run in row.runs]}
        for side, row, fields in zip("ab", rows, sides, strict=True)
    }
    value |= {
        "convention": comparison.a.convention,
        "gamma": comparison.a.gamma,
        "differences": {metric: _list_fields(difference) for metric, difference in comparison.differences.items()},
        "classes": [
            {"name": row.name, "seen": row.is_seen, "a": row.a, "b": row.b, "difference": row.difference}
            for row in comparison.classes
        ],
        "cautions": list(comparison.cautions),
    }
    return dump_json(value)


def _list_fields(difference: AdjustedDifference) -> dict[str, Any]:
    paired = difference.paired
    return {
        "difference": paired.difference,
        "low": paired.interval.low,
        "high": paired.interval.high,
        "level": paired.interval.level,
        "interval_over": paired.interval.kind,
        "p_value": paired.p_value,
        "p_adjusted": difference.p_adjusted,
        "images": paired.images,
        "replicates": paired.replicates,
    }
