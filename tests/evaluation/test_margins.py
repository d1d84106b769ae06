"""Tests of non-inferiority and equivalence against scipy's one-sided t tests, and of verdicts in words."""

from __future__ import annotations

import pytest
from scipy import stats

from benchmark.evaluation.margins import describe_margin_verdict, describe_verdict, judge_margin
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import PairedDifference, compare_sides
from tests.evaluation.synthetic_runs import make_even

RIGHT_A, RIGHT_B = (61, 70, 66, 72, 64), (60, 66, 68, 65, 60)


def compare(a: tuple[int, ...], b: tuple[int, ...]) -> PairedDifference:
    sides = [Side({seed: make_even(count) for seed, count in enumerate(right)}) for right in (a, b)]
    (difference,) = compare_sides(sides[:1], sides[1], metric="hiou", convention="d2-0.6")
    return difference


def gains() -> list[float]:
    return [100 * a / (200 - a) - 100 * b / (200 - b) for a, b in zip(RIGHT_A, RIGHT_B, strict=True)]


def test_both_tests_agree_with_one_sided_t_tests() -> None:
    test = judge_margin(compare(RIGHT_A, RIGHT_B), 5.0)
    above = stats.ttest_1samp(gains(), -5.0, alternative="greater").pvalue
    below = stats.ttest_1samp(gains(), 5.0, alternative="less").pvalue
    assert (test.non_inferiority_p, test.equivalence_p) == pytest.approx((above, max(above, below)))


def test_the_interval_that_decides_is_that_of_one_minus_two_alpha() -> None:
    test = judge_margin(compare(RIGHT_A, RIGHT_B), 5.0)
    low, high = map(float, stats.ttest_1samp(gains(), 0).confidence_interval(0.9))
    assert (test.interval.low, test.interval.high, test.alpha) == pytest.approx((low, high, 0.05))
    just_enough, too_small = (judge_margin(test.difference, -low + shift) for shift in (1e-6, -1e-6))
    assert just_enough.is_non_inferior and not too_small.is_non_inferior


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [(20.0, "equivalent within ±20.0"), (5.0, "not worse by more than 5.0"), (0.3, "not decided")],
)
def test_a_margin_verdict_says_what_is_shown(margin: float, verdict: str) -> None:
    assert describe_margin_verdict(judge_margin(compare(RIGHT_A, (60, 67, 68, 67, 60)), margin)) == verdict


def test_a_loss_beyond_the_margin_is_named() -> None:
    difference = compare((30, 31, 32), (60, 62, 63))
    assert describe_margin_verdict(judge_margin(difference, 1.0)) == "worse by more than 1.0"


def test_equal_runs_are_equivalent_within_any_margin() -> None:
    test = judge_margin(compare(RIGHT_A, RIGHT_A), 0.1)
    assert (test.non_inferiority_p, test.equivalence_p) == (0.0, 0.0) and test.is_equivalent
    assert describe_verdict(test.difference) == "no difference at all"


def test_without_any_variation_random_runs_that_differ_are_not_decided() -> None:
    difference = compare((60, 60, 60), (50, 50, 50))
    test = judge_margin(difference, 1.0)
    assert (test.interval.low, test.interval.high) == (-100, 100) and test.equivalence_p == 0.5
    assert describe_verdict(difference) == describe_margin_verdict(test) == "not decided"


def test_a_verdict_names_the_ends_of_the_interval() -> None:
    difference = compare((60, 62, 63), (30, 31, 32))
    low, high = difference.interval.low, difference.interval.high
    assert describe_verdict(difference) == f"better by {low:.1f} to {high:.1f}"
    assert describe_verdict(compare((30, 31, 32), (60, 62, 63))) == f"worse by {low:.1f} to {high:.1f}"
    assert describe_verdict(compare((60, 62, 30), (30, 31, 60))) == "not decided"


@pytest.mark.parametrize(("margin", "level"), [(0.0, 0.95), (-1.0, 0.95), (101.0, 0.95), (1.0, 0.5), (1.0, 95.0)])
def test_margins_and_levels_have_bounds(margin: float, level: float) -> None:
    with pytest.raises(ValueError, match="expected"):
        judge_margin(compare(RIGHT_A, RIGHT_B), margin, level=level)
