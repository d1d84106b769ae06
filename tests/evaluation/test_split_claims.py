"""Tests of what single splits claim, and of the sentences on the choice of classes."""

from __future__ import annotations

import numpy as np

from benchmark.evaluation.families import explain_undecidable
from benchmark.evaluation.margins import describe_margin_verdict, describe_verdict, judge_margin
from benchmark.evaluation.pooling import PooledDifference
from benchmark.evaluation.split_claims import (
    OneSplitClaims,
    count_one_split_claims,
    describe_one_split_claims,
    describe_signs,
    describe_spread,
)
from tests.evaluation.split_runs import even_sides, iou, pool

SEEDS = (-1, 0, 1)


def compare(*rights: int) -> PooledDifference:
    """Return the difference of splits with these right pixels, less a pixel or more by the seed, from 60."""
    a = even_sides([[right + seed for seed in SEEDS] for right in rights])
    return pool(a, even_sides([[60 for _ in SEEDS] for _ in rights]))


def test_claims_of_single_splits_are_judged_by_the_mean_over_splits() -> None:
    # Half widths of about 3.8 points around 30, 13.5, 0 and -9.6; the mean is 9
    pooled = compare(80, 70, 60, 50)
    assert count_one_split_claims([pooled]) == OneSplitClaims(total=4, num_missing=4, num_significant=3, num_wrong=1)
    assert count_one_split_claims([pooled, compare(62, 61, 62)]).total == 7


def test_a_single_split_judges_nothing() -> None:
    assert count_one_split_claims([compare(80)]) == OneSplitClaims(0, 0, 0, 0)
    assert describe_one_split_claims(OneSplitClaims(0, 0, 0, 0)) == ""


def test_claims_are_told_in_a_sentence() -> None:
    text = describe_one_split_claims(OneSplitClaims(total=48, num_missing=19, num_significant=20, num_wrong=5))
    assert text == (
        "Of 48 comparisons on one split, 19 (40 %) have an interval that excludes the mean over splits, and 5 (10 %) "
        "are significant with the opposite sign."
    )


def test_the_more_frequent_sign_is_named() -> None:
    assert describe_signs(compare(80, 70, 65, 50)) == "positive on 3 of 4 splits (sign test p = 0.62)"
    assert describe_signs(compare(55, 50, 65, 50)) == "negative on 3 of 4 splits (sign test p = 0.62)"
    same = even_sides([[60, 61, 62]] * 3)
    assert describe_signs(pool(same, same)) == "0 on all 3 splits"


def test_the_spread_is_told_with_its_interval() -> None:
    pooled = compare(80, 70, 65, 50)
    share, spread = pooled.split_share, np.std([iou(right) for right in (80, 70, 65, 50)], ddof=1)
    assert share is not None and 0.98 < share < 1
    text = describe_spread(pooled)
    assert text.startswith("The choice of unseen classes explains 99 % (95 % interval ") and " to 100) of the " in text
    assert f"varies between splits by {spread:.1f} points" in text


def test_an_unknown_spread_says_why() -> None:
    single = pool(even_sides([[60], [70], [65]]), even_sides([[60], [61], [62]]))
    assert describe_spread(single).endswith("not known: no split has several runs.")
    assert describe_spread(compare(80)).endswith("not known: one split.")
    unknown = pool(even_sides([[60], [60], [60]]), even_sides([[50], [50], [50]]))
    assert describe_spread(unknown).endswith("not known: the variation is unknown.")
    nothing = pool(*[even_sides([[60], [60], [60]], is_deterministic=True)] * 2)
    assert describe_spread(nothing).startswith("Nothing varies")


def test_splits_that_differ_less_than_their_seeds_leave_the_share_unknown() -> None:
    noisy = pool(even_sides([[40, 71], [70, 40], [40, 70]]), even_sides([[60, 60]] * 3))
    text = "not known: differences vary less between splits than seeds and images alone would make them."
    assert noisy.split_share == 0 and describe_spread(noisy).endswith(text)


def test_margins_and_verdicts_hold_over_splits() -> None:
    pooled = compare(62, 61, 62, 63, 61)
    assert describe_verdict(pooled).startswith("better by ")
    assert describe_margin_verdict(judge_margin(pooled, 1.0)) == "not worse by more than 1.0"
    assert describe_margin_verdict(judge_margin(pooled, 9.0)) == "equivalent within ±9.0"


def test_too_few_splits_for_an_exact_test_are_named_as_splits() -> None:
    text = explain_undecidable([compare(62, 61, 62, 63, 61).least_p], units="splits")
    assert text.startswith("Too few splits for an exact test: its p cannot go below 0.0625.")
    assert text.endswith("normally distributed scores over splits; 6 splits would not need that.")
