"""Comparison of two methods as tables for people and as JSON for programs."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from benchmark.evaluation.families import explain_undecidable
from benchmark.evaluation.margins import MarginTest, describe_margin_verdict, describe_verdict
from benchmark.evaluation.scores import Metric
from benchmark.report.comparison import ClassDifference, MethodComparison
from benchmark.report.differences import AdjustedDifference
from benchmark.report.frame import list_records
from benchmark.report.imported import describe_imported
from benchmark.report.rows import Row, find_shared_setting
from benchmark.report.tables import typeset
from benchmark.report.tables.cells import format_change, format_estimate
from benchmark.report.tables.column import TableRow, build_row_frame
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.json_text import dump_json, format_csv
from benchmark.report.tables.layout import UNSEEN_MARK, TableCell, TableLayout, TableNote, drop_notes
from benchmark.report.tables.notes import CONVENTION_TEXTS, describe_gamma, describe_stale
from benchmark.report.tables.numbers import (
    NOTHING,
    format_difference,
    format_p_value,
    format_score,
    format_three_digits,
)
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.uncertainty import (
    METRIC_TEXTS,
    RULE,
    describe_intervals,
    describe_pairing,
    name_exact_tests,
)
from benchmark.report.tables.undefined import describe_undefined
from benchmark.utils.did_you_mean import explain_unknown_name

if TYPE_CHECKING:
    from pandas import DataFrame

Format = Literal["txt", "md", "csv", "tex", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
HEADER = ("A", "B", "A - B")
CSV_NUMBERS = ("a", "b", "difference", "low", "high", "p_value", "p_adjusted")
CSV_COLUMNS = ("kind", "name", *CSV_NUMBERS, "verdict")

COST_FIGURES: dict[str, tuple[str, float]] = {
    "trainable parameters (M)": ("trainable_parameters", 1e6),
    "total parameters (M)": ("total_parameters", 1e6),
    "GFLOPs, test image": ("inference_flops", 1e9),
    "GFLOPs, training image": ("training_flops", 1e9),
    "test image (ms)": ("latency_ms", 1),
    "training (s)": ("train_seconds", 1),
    "peak memory (MB)": ("peak_memory_mb", 1),
}


def render(
    comparison: MethodComparison,
    *,
    fmt: str = "txt",
    digits: int = 1,
    width: int | None = typeset.WIDTH,
    has_notes: bool = True,
) -> str:
    """Return a comparison as text.

    Args:
        comparison: Comparison as `comparison.compare_runs` returns it.
        fmt: Format, one of `FORMATS`. csv has a line per score, class and cost, see `to_frame`.
        digits: Decimals of scores in printed formats; csv and json are not rounded to them.
        width: Characters in a line of aligned text; None for all columns side by side.
        has_notes: Whether printed formats have notes; warnings stay in any case.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("format of a comparison", fmt, FORMATS))
    if fmt == "json":
        return _to_json(comparison)
    if fmt == "csv":
        return format_csv(to_frame(comparison))
    layouts = [
        _lay_out_scores(comparison, digits=digits),
        _lay_out_classes(comparison, digits=digits),
        _lay_out_costs(comparison),
    ]
    shown = [layout if has_notes else drop_notes(layout) for layout in layouts if layout.cells]
    if fmt == "txt":
        return "\n".join(typeset.to_text(layout, width=width) for layout in shown)
    return "\n".join(map(typeset.to_markdown if fmt == "md" else typeset.to_latex, shown))


def to_frame(comparison: MethodComparison) -> DataFrame:
    """Return a comparison as a data frame: a line per score, class and cost.

    Returns:
        The columns kind ("score", "class" or "cost"), name, a, b, difference, low, high, p_value, p_adjusted and
        verdict; the last five are missing for classes and costs, which are not tested.
    """
    from pandas import DataFrame

    lines: list[dict[str, Any]] = []
    for metric in comparison.a.metrics:
        means = [row.estimates[metric].mean for row in (comparison.a, comparison.b)]
        known = comparison.differences.get(metric)
        fields = {} if known is None else _list_fields(known, comparison.margins.get(metric))
        scores = {"a": means[0], "b": means[1], "difference": means[0] - means[1]}
        lines.append({"kind": "score", "name": metric} | scores | fields)
    for row in comparison.classes:
        lines.append({"kind": "class", "name": row.name, "a": row.a, "b": row.b, "difference": row.difference})
    cost_a, cost_b = comparison.a.cost, comparison.b.cost
    for key, _ in COST_FIGURES.values():
        a, b = getattr(cost_a, key, None), getattr(cost_b, key, None)
        difference = None if a is None or b is None else a - b
        lines.append({"kind": "cost", "name": key, "a": a, "b": b, "difference": difference})
    return DataFrame(lines, columns=list(CSV_COLUMNS)).astype({name: "float64" for name in CSV_NUMBERS})


def _lay_out_scores(comparison: MethodComparison, *, digits: int) -> TableLayout:
    metrics = comparison.a.metrics
    columns = select_columns(metrics).columns
    sides = build_row_frame([TableRow(comparison.a), TableRow(comparison.b)], columns).to_dict("records")
    cells = []
    for metric in metrics:
        scores = [format_estimate(side, metric, digits=digits) for side in sides]
        changes = format_change(comparison.differences.get(metric), digits=digits)
        verdicts = [TableCell(text or NOTHING) for text in _describe_verdicts(comparison, metric)]
        cells.append((TableCell(SCORE_HEADERS[metric]), *scores, *changes, *verdicts))
    numbers = [_describe_number(row) for row in (comparison.a, comparison.b)]
    margin = _find_margin(comparison)
    sides_by_name = zip("AB", (comparison.a, comparison.b), strict=True)
    warnings = {
        f"Caution: {name}: {text}."
        for name, row in sides_by_name
        for text in describe_imported(row) + describe_stale(row)
    }
    return TableLayout(
        title=f"A: {comparison.a.label} ({numbers[0]})   B: {comparison.b.label} ({numbers[1]})",
        header=("Score", *HEADER, "p", "A is", *([f"margin {margin:g}"] if margin is not None else [])),
        is_text=(True, False, False, False, False, *[True] * len(cells[0][5:])),
        cells=tuple(cells),
        notes=(
            *(TableNote(text, is_warning=True) for text in _describe_limit(comparison)),
            *(TableNote(text, is_warning=text in warnings) for text in _describe_comparison(comparison)),
        ),
    )


def _describe_limit(comparison: MethodComparison) -> list[str]:
    """Return the warning that only the first images were scored; none if all were."""
    setting = find_shared_setting((comparison.a, comparison.b))
    limit = setting.max_images if setting is not None else 0
    return [f"TESTING ONLY: scored on the first {limit} images of the evaluation set."] if limit else []


def _describe_number(row: Row) -> str:
    plural = "" if len(row.counted) == 1 else "s"
    return f"{len(row.counted)} run{plural}{', deterministic' if row.is_deterministic else ''}"


def _describe_verdicts(comparison: MethodComparison, metric: Metric) -> list[str]:
    """Return the verdicts on a metric: one from its interval and, if a margin is given, one from the margin."""
    difference, test = comparison.differences.get(metric), comparison.margins.get(metric)
    verdicts = ["" if difference is None else describe_verdict(difference.paired)]
    if comparison.margins:
        verdicts.append("" if test is None else describe_margin_verdict(test))
    return verdicts


def _find_margin(comparison: MethodComparison) -> float | None:
    return next((test.margin for test in comparison.margins.values()), None)


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
    mark = f"{UNSEEN_MARK} unseen in training. " if not all(row.is_seen for row in comparison.classes) else ""
    note = TableNote(f"{mark}Means over the runs; single classes are not tested.")
    return TableLayout("IoU per class (%)", ("Class", *HEADER), (True, False, False, False), tuple(cells), (note,))


def _lay_out_costs(comparison: MethodComparison) -> TableLayout:
    cost_a, cost_b = comparison.a.cost, comparison.b.cost
    cells = []
    if cost_a is not None and cost_b is not None:
        for name, (key, unit) in COST_FIGURES.items():
            a, b = getattr(cost_a, key), getattr(cost_b, key)
            texts = [NOTHING if value is None else format_three_digits(value / unit) for value in (a, b)]
            ratio = f"{format_three_digits(a / b)}x" if a is not None and b else NOTHING
            cells.append(tuple(TableCell(text) for text in (name, *texts, ratio)))
    return TableLayout("Cost", ("Figure", "A", "B", "A / B"), (True, False, False, False), tuple(cells), ())


def _describe_comparison(comparison: MethodComparison) -> list[str]:
    convention = comparison.a.convention
    gamma = f"Offset gamma: {describe_gamma(comparison.a)}."
    texts = [f"Scores in percent; IoU convention {convention}: {CONVENTION_TEXTS[convention]}. {gamma}"]
    texts += [f"{METRIC_TEXTS[metric]}." for metric in comparison.a.metrics if metric in METRIC_TEXTS]
    texts += describe_intervals((comparison.a, comparison.b), comparison.a.metrics)
    sides = [replace(row, label=name) for name, row in zip("AB", (comparison.a, comparison.b), strict=True)]
    texts += describe_undefined(sides, comparison.a.metrics, consequence="no A - B and p of hIoU")
    texts += _describe_differences(comparison) if comparison.differences else []
    return texts + [f"Caution: {text}." for text in comparison.cautions]


def _describe_differences(comparison: MethodComparison) -> list[str]:
    """Return the notes on the differences, their p values and the tests against a margin."""
    adjusted = list(comparison.differences.values())
    first = adjusted[0].paired
    holm, verdict = "", "The verdict is that of the interval."
    if len(adjusted) > 1:
        holm = f", Holm over {len(adjusted)} scores"
        verdict = "The verdict is that of the interval, which is not corrected for the number of scores."
    texts = [
        f"A - B: percentage points on the same {first.images} images, {first.interval.level:.0%} interval over "
        f"{first.interval.kind} ({RULE}); p: two-sided{holm}. {verdict}",
        *(f"{text}{'' if first.pairing != 'none' else ' Here they are not.'}" for text in describe_pairing([first])),
    ]
    if first.least_p is not None:
        is_deterministic = comparison.a.is_deterministic or comparison.b.is_deterministic
        texts.append(
            f"The smallest p, before Holm, that an exact test with this number of seeds could give is "
            f"{format_p_value(first.least_p)} ({name_exact_tests([(first, is_deterministic)])})."
        )
        warning = explain_undecidable([difference.paired.least_p for difference in adjusted])
        texts += [warning] if warning else []
    test = next(iter(comparison.margins.values()), None)
    if test is not None:
        plural = "" if test.margin == 1 else "s"
        texts.append(
            f"Margin of {test.margin:g} point{plural}: one-sided tests at {test.alpha:.0%} that A is not worse than B "
            f"by more than the margin, and that both are equivalent within it (two one-sided tests)."
        )
    return texts


def _to_json(comparison: MethodComparison) -> str:
    rows = (comparison.a, comparison.b)
    setting = find_shared_setting(rows)
    columns = select_columns(comparison.a.metrics).columns
    sides = list_records(build_row_frame([TableRow(row, setting) for row in rows], columns))
    value: dict[str, Any] = {
        side: fields | {"run_ids": [run.run_id for run in row.runs]}
        for side, row, fields in zip("ab", rows, sides, strict=True)
    }
    value |= {
        "convention": comparison.a.convention,
        "gamma": comparison.a.gamma,
        "differences": {
            metric: _list_fields(difference, comparison.margins.get(metric))
            for metric, difference in comparison.differences.items()
        },
        "classes": [
            {"name": row.name, "seen": row.is_seen, "a": row.a, "b": row.b, "difference": row.difference}
            for row in comparison.classes
        ],
        "cautions": list(comparison.cautions),
    }
    return dump_json(value)


def _list_fields(difference: AdjustedDifference, test: MarginTest | None) -> dict[str, Any]:
    paired = difference.paired
    return {
        "difference": paired.difference,
        "low": paired.interval.low,
        "high": paired.interval.high,
        "level": paired.interval.level,
        "interval_over": paired.interval.kind,
        "df": paired.df,
        "standard_error": paired.standard_error,
        "caution": paired.interval.caution,
        "pairing": paired.pairing,
        "p_value": paired.p_value,
        "p_adjusted": difference.p_adjusted,
        "least_p": paired.least_p,
        "images": paired.images,
        "seeds": list(paired.seeds),
        "verdict": describe_verdict(paired),
        "margin": _list_margin_fields(test) if test is not None else None,
    }


def _list_margin_fields(test: MarginTest) -> dict[str, Any]:
    return {
        "margin": test.margin,
        "alpha": test.alpha,
        "low": test.interval.low,
        "high": test.interval.high,
        "level": test.interval.level,
        "non_inferiority_p": test.non_inferiority_p,
        "equivalence_p": test.equivalence_p,
        "is_non_inferior": test.is_non_inferior,
        "is_equivalent": test.is_equivalent,
        "verdict": describe_margin_verdict(test),
    }
