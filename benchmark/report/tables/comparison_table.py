"""Comparison of two methods as tables for people; for programs, see `comparison_data`."""

from __future__ import annotations

from typing import Literal, get_args

from benchmark.evaluation.margins import describe_margin_verdict, describe_verdict
from benchmark.evaluation.scores import Metric
from benchmark.report.comparison import MethodComparison
from benchmark.report.imported import describe_imported
from benchmark.report.official_weights import describe_weights
from benchmark.report.result_row import ResultRow
from benchmark.report.tables import typeset
from benchmark.report.tables.cells import format_change, format_estimate
from benchmark.report.tables.column import TableRow, build_row_frame
from benchmark.report.tables.comparison_data import to_frame, to_json
from benchmark.report.tables.comparison_notes import describe_comparison
from benchmark.report.tables.comparison_parts import HEADER, lay_out_classes, lay_out_splits
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.html_table import to_html
from benchmark.report.tables.json_text import format_csv
from benchmark.report.tables.latex_table import to_latex
from benchmark.report.tables.layout import TableCell, TableLayout, TableNote, drop_notes
from benchmark.report.tables.numbers import NOTHING, format_three_digits
from benchmark.report.tables.selection import select_columns
from benchmark.report.tables.stale_notes import describe_stale
from benchmark.report.tables.traits import name_deciding_traits
from benchmark.utils.did_you_mean import explain_unknown_name

Format = Literal["txt", "md", "csv", "tex", "html", "json"]
FORMATS: tuple[Format, ...] = get_args(Format)
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
        fmt: Format, one of `FORMATS`. csv has a line per score, split, class and cost, see `comparison_data.to_frame`.
        digits: Decimals of scores in printed formats; csv and json are not rounded to them.
        width: Characters in a line of aligned text; None for all columns side by side.
        has_notes: Whether printed formats have notes; warnings stay in any case.

    Raises:
        KeyError: The format is unknown; the message names the nearest.
    """
    if fmt not in FORMATS:
        raise KeyError(explain_unknown_name("format of a comparison", fmt, FORMATS))
    if fmt == "json":
        return to_json(comparison)
    if fmt == "csv":
        return format_csv(to_frame(comparison))
    layouts = [
        _lay_out_scores(comparison, digits=digits),
        lay_out_splits(comparison, digits=digits),
        lay_out_classes(comparison, digits=digits),
        _lay_out_costs(comparison),
    ]
    shown = [layout if has_notes else drop_notes(layout) for layout in layouts if layout.cells]
    if fmt == "txt":
        return "\n".join(typeset.to_text(layout, width=width) for layout in shown)
    write = {"md": typeset.to_markdown, "tex": to_latex, "html": to_html}[fmt]
    return "\n".join(map(write, shown))


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
    place = "" if comparison.splits else f"   Split: {comparison.setting.split}"
    margin = _find_margin(comparison)
    sides_by_name = zip("AB", (comparison.a, comparison.b), strict=True)
    warnings = {
        f"Caution: {name}: {text}."
        for name, row in sides_by_name
        for text in describe_imported(row) + describe_weights(row) + describe_stale(row)
    }
    return TableLayout(
        title=f"A: {comparison.a.label} ({numbers[0]})   B: {comparison.b.label} ({numbers[1]}){place}",
        header=("Score", *HEADER, "p", "A is", *([f"margin {margin:g}"] if margin is not None else [])),
        is_text=(True, False, False, False, False, *[True] * len(cells[0][5:])),
        cells=tuple(cells),
        notes=(
            *(TableNote(text, is_warning=True) for text in _describe_limit(comparison)),
            *(TableNote(text, is_warning=text in warnings) for text in describe_comparison(comparison)),
        ),
    )


def _describe_limit(comparison: MethodComparison) -> list[str]:
    """Return the warning that only the first images were scored; none if all were."""
    limit = comparison.setting.max_images
    return [f"TESTING ONLY: scored on the first {limit} images of the evaluation set."] if limit else []


def _describe_number(row: ResultRow) -> str:
    plural = "" if len(row.counted) == 1 else "s"
    place = f" on {len(row.sides)} splits" if len(row.sides) > 1 else ""
    return f"{len(row.counted)} run{plural}{place}{', deterministic' if row.is_deterministic else ''}"


def _describe_verdicts(comparison: MethodComparison, metric: Metric) -> list[str]:
    """Return the verdicts on a metric: one from its interval and, if a margin is given, one from the margin.

    Methods of two protocol classes were not given the same, so that none of them is the better one.
    """
    difference, test = comparison.differences.get(metric), comparison.margins.get(metric)
    if difference is not None and not difference.is_within_class:
        traits = name_deciding_traits([comparison.a, comparison.b]) or "supervision"
        return [f"not judged (other {traits})"] * (2 if comparison.margins else 1)
    verdicts = ["" if difference is None else describe_verdict(difference.paired)]
    if comparison.margins:
        verdicts.append("" if test is None else describe_margin_verdict(test))
    return verdicts


def _find_margin(comparison: MethodComparison) -> float | None:
    return next((test.margin for test in comparison.margins.values()), None)


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
