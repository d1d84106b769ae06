"""Notes below a comparison of two methods: what its intervals and tests cover."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from benchmark.evaluation.families import explain_undecidable
from benchmark.evaluation.split_claims import (
    count_one_split_claims,
    describe_one_split_claims,
    describe_signs,
    describe_spread,
)
from benchmark.report.comparison import MethodComparison
from benchmark.report.differences import AdjustedDifference
from benchmark.report.result_row import ResultRow
from benchmark.report.split_names import list_splits
from benchmark.report.tables.headers import SCORE_HEADERS
from benchmark.report.tables.notes import CONVENTION_TEXTS, describe_gamma
from benchmark.report.tables.numbers import format_p_value
from benchmark.report.tables.uncertainty import (
    METRIC_TEXTS,
    RULE,
    describe_intervals,
    describe_pairing,
    name_exact_tests,
)
from benchmark.report.tables.undefined import LEFT_OUT, describe_undefined


def describe_comparison(comparison: MethodComparison) -> list[str]:
    """Return the notes below the scores of a comparison."""
    convention = comparison.a.convention
    gamma = f"Offset gamma: {describe_gamma(comparison.a)}."
    texts = [f"Scores in percent; IoU convention {convention}: {CONVENTION_TEXTS[convention]}. {gamma}"]
    texts += [f"{METRIC_TEXTS[metric]}." for metric in comparison.a.metrics if metric in METRIC_TEXTS]
    texts += describe_intervals((comparison.a, comparison.b), comparison.a.metrics)
    texts += _describe_undefined(comparison)
    texts += _describe_differences(comparison) if comparison.differences else []
    return texts + [f"Caution: {text}." for text in comparison.cautions]


def _describe_undefined(comparison: MethodComparison) -> list[str]:
    """Return the notes on scores that are not defined; over several splits, on those of each split."""
    metrics = comparison.a.metrics
    if not comparison.splits:
        return describe_undefined(
            _name_sides(comparison.a, comparison.b), metrics, consequence="no A - B and p of hIoU"
        )
    places: dict[str, list[str]] = {}
    for split in comparison.splits:
        for text in describe_undefined(_name_sides(split.a, split.b), metrics, consequence=LEFT_OUT):
            places.setdefault(text, []).append(split.split)
    return [f"On {list_splits(names)}: {text}" for text, names in places.items()]


def _name_sides(a: ResultRow, b: ResultRow) -> list[ResultRow]:
    return [replace(row, label=name) for name, row in (("A", a), ("B", b))]


def _describe_differences(comparison: MethodComparison) -> list[str]:
    """Return the notes on the differences, their p values and the tests against a margin."""
    adjusted = list(comparison.differences.values())
    first = adjusted[0].paired
    level, kind = f"{first.interval.level:.0%}", first.interval.kind
    place = f", mean over {len(comparison.splits)} splits" if comparison.splits else ""
    holm, verdict = "", "The verdict is that of the interval."
    if len(adjusted) > 1:
        holm = f", Holm over {len(adjusted)} scores"
        verdict = "The verdict is that of the interval, which is not corrected for the number of scores."
    texts = [
        f"A - B: percentage points on the same {first.images} images{place}, {level} interval over {kind} ({RULE}); p: "
        f"two-sided{holm}. {verdict}",
        *(f"{text}{_describe_unpaired(adjusted[0])}" for text in describe_pairing(adjusted[0].on_splits)),
        *describe_split_effect(comparison),
    ]
    return texts + _describe_tests(comparison)


def _describe_tests(comparison: MethodComparison) -> list[str]:
    """Return the notes on exact tests and on those against a margin."""
    adjusted, texts = list(comparison.differences.values()), []
    first = adjusted[0].paired
    if first.least_p is not None:
        units: Literal["seeds", "splits"] = "splits" if comparison.splits else "seeds"
        is_deterministic = comparison.a.is_deterministic or comparison.b.is_deterministic
        tests = name_exact_tests([(first, is_deterministic)])
        texts.append(
            f"The smallest p, before Holm, that an exact test with this number of {units} could give is "
            f"{format_p_value(first.least_p)} ({tests})."
        )
        warning = explain_undecidable([difference.paired.least_p for difference in adjusted], units=units)
        texts += [warning] if warning else []
    test = next(iter(comparison.margins.values()), None)
    if test is not None:
        plural = "" if test.margin == 1 else "s"
        texts.append(
            f"Margin of {test.margin:g} point{plural}: one-sided tests at {test.alpha:.0%} that A is not worse than B "
            f"by more than the margin, and that both are equivalent within it (two one-sided tests)."
        )
    return texts


def describe_split_effect(comparison: MethodComparison) -> list[str]:
    """Return the notes on how much a difference changes between splits; none if there is one split."""
    known = [(metric, one.pooled) for metric, one in comparison.differences.items() if one.pooled is not None]
    if not comparison.splits or not known:
        return []
    metric, pooled = next(((name, one) for name, one in known if name == "hiou"), known[0])
    claims = describe_one_split_claims(count_one_split_claims([pooled]))
    return [
        f"{SCORE_HEADERS[metric]}: A - B is {describe_signs(pooled)}. {describe_spread(pooled)}",
        *([claims] if claims else []),
    ]


def _describe_unpaired(difference: AdjustedDifference) -> str:
    unpaired = sum(paired.pairing == "none" for paired in difference.on_splits)
    if not unpaired:
        return ""
    number = len(difference.on_splits)
    return " Here they are not." if number == 1 else f" Here they are not on {unpaired} of {number} splits."
