"""A comparison of two methods for programs: as a data frame and as JSON."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from benchmark.evaluation.margins import MarginTest, describe_margin_verdict, describe_verdict
from benchmark.evaluation.pooling import PooledDifference
from benchmark.evaluation.stats import PairedDifference
from benchmark.report.class_differences import ClassDifference
from benchmark.report.comparison import MethodComparison, SplitDifference
from benchmark.report.differences import AdjustedDifference
from benchmark.report.frame import list_records
from benchmark.report.tables.column import TableRow, build_row_frame
from benchmark.report.tables.json_text import dump_json
from benchmark.report.tables.selection import select_columns

if TYPE_CHECKING:
    from pandas import DataFrame

COST_KEYS = (
    "trainable_parameters",
    "total_parameters",
    "inference_flops",
    "training_flops",
    "latency_ms",
    "train_seconds",
    "peak_memory_mb",
)
"""Costs that are compared."""
CSV_NUMBERS = ("a", "b", "difference", "low", "high", "p_value", "p_adjusted")
CSV_COLUMNS = ("kind", "name", "split", "unseen", "seen", "splits", *CSV_NUMBERS, "verdict")


def to_frame(comparison: MethodComparison) -> DataFrame:
    """Return a comparison as a data frame: a line per score, per split and score, per class and per cost.

    Returns:
        The columns kind ("score", "split", "kind", "class" or "cost"), name, split, unseen, seen, splits, a, b,
        difference, low, high, p_value, p_adjusted and verdict. A line of a split names its unseen classes; that of a
        class, or of a kind such as things, says whether it is the mean over splits on which the class is seen, and over
        how many. Classes, kinds and costs are not tested.
    """
    from pandas import DataFrame

    lines = [*_list_scores(comparison), *_list_split_scores(comparison)]
    groups = {"kind": comparison.kinds, "class": comparison.classes}
    lines += [{"kind": group} | list_class_fields(row) for group, rows in groups.items() for row in rows]
    for key in COST_KEYS:
        a, b = (getattr(row.cost, key, None) for row in (comparison.a, comparison.b))
        difference = None if a is None or b is None else a - b
        lines.append({"kind": "cost", "name": key, "a": a, "b": b, "difference": difference})
    types = dict.fromkeys(CSV_NUMBERS, "float64") | {"seen": "boolean", "splits": "Int64"}
    return DataFrame(lines, columns=list(CSV_COLUMNS)).astype(types)


def _list_scores(comparison: MethodComparison) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for metric in comparison.a.metrics:
        a, b = (row.estimates[metric].mean for row in (comparison.a, comparison.b))
        known = comparison.differences.get(metric)
        fields = {} if known is None else list_fields(known, comparison.margins.get(metric))
        scores = {"a": a, "b": b, "difference": a - b}
        lines.append({"kind": "score", "name": metric} | scores | fields | {"splits": max(1, len(comparison.splits))})
    return lines


def _list_split_scores(comparison: MethodComparison) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    for split in comparison.splits:
        place = {"split": split.split, "unseen": ", ".join(split.unseen), "splits": 1}
        for metric in comparison.a.metrics:
            a, b = (row.estimates[metric].mean for row in (split.a, split.b))
            known = split.differences.get(metric)
            fields = {} if known is None else list_fields(AdjustedDifference(known, math.nan), None)
            scores = {"a": a, "b": b, "difference": a - b}
            lines.append({"kind": "split", "name": metric} | scores | fields | place)
    return lines


def to_json(comparison: MethodComparison) -> str:
    """Return a comparison as one JSON object."""
    rows = (comparison.a, comparison.b)
    columns = select_columns(comparison.a.metrics).columns
    sides = list_records(build_row_frame([TableRow(row, comparison.setting) for row in rows], columns))
    value: dict[str, Any] = {
        side: fields | {"run_ids": [run.run_id for run in row.runs]}
        for side, row, fields in zip("ab", rows, sides, strict=True)
    }
    value |= {
        "convention": comparison.a.convention,
        "gamma": comparison.a.gamma,
        "differences": {
            metric: list_fields(difference, comparison.margins.get(metric))
            for metric, difference in comparison.differences.items()
        },
        "splits": [_describe_split(split) for split in comparison.splits],
        "kinds": [list_class_fields(row) for row in comparison.kinds],
        "classes": [list_class_fields(row) for row in comparison.classes],
        "cautions": list(comparison.cautions),
    }
    return dump_json(value)


def list_class_fields(row: ClassDifference) -> dict[str, Any]:
    """Return the facts of the difference on a class or a kind of classes by name."""
    place = {"name": row.name, "seen": row.is_seen, "splits": row.num_splits}
    return place | {"a": row.a, "b": row.b, "difference": row.difference}


def _describe_split(split: SplitDifference) -> dict[str, Any]:
    scores = {
        side: {metric: row.estimates[metric].mean for metric in row.metrics}
        for side, row in (("a", split.a), ("b", split.b))
    }
    differences = {
        metric: list_fields(AdjustedDifference(paired, math.nan), None) for metric, paired in split.differences.items()
    }
    return {"name": split.split, "unseen": list(split.unseen)} | scores | {"differences": differences}


def list_fields(difference: AdjustedDifference, test: MarginTest | None) -> dict[str, Any]:
    """Return the facts of a difference by name.

    Args:
        difference: Difference.
        test: Test of the difference against a margin; None if there is none.
    """
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
        **(_list_split_fields(paired) if isinstance(paired, PooledDifference) else _list_seed_fields(paired)),
        "p_value": paired.p_value,
        "p_adjusted": difference.p_adjusted,
        "least_p": paired.least_p,
        "images": paired.images,
        "verdict": describe_verdict(paired),
        "margin": _list_margin_fields(test) if test is not None else None,
    }


def _list_seed_fields(paired: PairedDifference) -> dict[str, Any]:
    return {"pairing": paired.pairing, "seeds": list(paired.seeds)}


def _list_split_fields(pooled: PooledDifference) -> dict[str, Any]:
    interval = None if pooled.components is None else pooled.components.share_interval
    return {
        "splits": list(pooled.splits),
        "split_sd": pooled.split_sd,
        "split_share": pooled.split_share,
        "split_share_interval": None if interval is None else list(interval),
        "positive": pooled.num_positive,
        "negative": pooled.num_negative,
        "sign_p": pooled.sign_p,
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
