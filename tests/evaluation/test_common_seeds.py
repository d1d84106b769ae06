"""Tests of the variance of what seeds do on all splits alike, against an analysis of variance by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.evaluation.common_seeds import estimate_common_seeds, warn_of_few_seeds
from benchmark.evaluation.pooled_means import estimate_over_splits
from benchmark.evaluation.scores import Floats
from tests.evaluation.split_runs import even_sides, iou, pool

RIGHTS = ((60, 66, 71), (50, 58, 60), (64, 65, 75), (40, 44, 51))
OTHER = ((55, 55, 55),) * 4


def common_variance(scores: Floats) -> float:
    """Return the variance of the effect of a seed (columns) from the mean squares of a table of splits by seeds."""
    splits, seeds = scores.shape
    of_seed = splits * scores.mean(axis=0).var(ddof=1)
    total = ((scores - scores.mean()) ** 2).sum()
    rest = total - of_seed * (seeds - 1) - seeds * ((scores.mean(axis=1) - scores.mean()) ** 2).sum()
    return float((of_seed - rest / ((splits - 1) * (seeds - 1))) / splits)


def test_the_variance_is_that_of_the_seeds_in_a_crossed_table() -> None:
    scores = np.array(RIGHTS, dtype=np.float64)
    ((variance, df),) = estimate_common_seeds([dict(enumerate(row)) for row in scores])
    assert (variance, df) == pytest.approx((common_variance(scores) / 3, 2))


def test_seeds_without_a_common_effect_add_nothing() -> None:
    assert estimate_common_seeds([{0: 1.0, 1: 2.0}, {0: 2.0, 1: 1.0}]) == [(0.0, 1.0)]


@pytest.mark.parametrize(
    "tables", [[{0: 1.0}, {0: 2.0}], [{0: 1.0, 1: 2.0}, {2: 1.0, 3: 3.0}], [{0: 1.0, 1: 2.0}, {0: 3.0}]]
)
def test_splits_that_share_no_two_seeds_tell_nothing(tables: list[dict[int, float]]) -> None:
    assert estimate_common_seeds(tables) == []


def test_a_split_without_one_of_the_seeds_takes_no_part_but_counts_in_the_weights() -> None:
    scores = np.array(RIGHTS, dtype=np.float64)
    tables = [dict(enumerate(row)) for row in scores] + [{0: 50.0, 1: 90.0}]
    ((variance, df),) = estimate_common_seeds(tables)
    weights = np.array([4 / 3 + 1 / 2, 4 / 3 + 1 / 2, 4 / 3]) / 5
    assert (variance, df) == pytest.approx((common_variance(scores) * (weights**2).sum(), 2))


def test_the_interval_of_a_difference_covers_the_common_effect() -> None:
    scores = np.array([[iou(right) for right in own] for own in RIGHTS])
    pooled = pool(even_sides(RIGHTS, shift=0), even_sides(OTHER, shift=0))
    expected = scores.mean(axis=1).var(ddof=1) / 4 + common_variance(scores) / 3
    assert pooled.standard_error**2 == pytest.approx(expected)
    assert pool(even_sides(RIGHTS), even_sides(OTHER)).standard_error < pooled.standard_error


def test_against_a_deterministic_method_the_seeds_are_those_of_the_other() -> None:
    scores = np.array([[iou(right) for right in own] for own in RIGHTS])
    pooled = pool(even_sides(RIGHTS, shift=0), even_sides([[55]] * 4, shift=0, is_deterministic=True))
    expected = scores.mean(axis=1).var(ddof=1) / 4 + common_variance(scores) / 3
    assert pooled.standard_error**2 == pytest.approx(expected)


def test_the_interval_of_a_mean_covers_the_common_effect() -> None:
    scores = np.array([[iou(right) for right in own] for own in RIGHTS])
    interval = estimate_over_splits(even_sides(RIGHTS, shift=0), metrics=["hiou"], convention="d2-main")["hiou"]
    expected = scores.mean(axis=1).var(ddof=1) / 4 + common_variance(scores) / 3
    assert interval is not None
    half_width = stats.t.ppf(0.975, interval.df) * np.sqrt(expected)
    assert (interval.high - interval.low) / 2 == pytest.approx(half_width)


def test_one_seed_on_several_splits_is_a_caution() -> None:
    text = "one seed: what it does on all splits alike is not covered"
    one = [[70], [60], [80]], [[60], [61], [62]]
    assert text in pool(*(even_sides(own, shift=0) for own in one)).interval.caution
    assert text not in pool(*(even_sides(own) for own in one)).interval.caution
    assert warn_of_few_seeds([[{0: 1.0}, {0: 2.0, 1: 2.0}]]) == ""


def test_two_seeds_that_splits_share_are_a_caution() -> None:
    text = "two seeds: what they do on all splits alike is hardly known"
    two = [[70, 72], [60, 66], [80, 81]], [[60, 60], [61, 62], [62, 66]]
    assert text in pool(*(even_sides(own, shift=0) for own in two)).interval.caution
    assert text not in pool(*(even_sides(own) for own in two)).interval.caution
    assert text not in pool(*(even_sides(own, shift=0) for own in (RIGHTS, OTHER[:4]))).interval.caution
    mean = estimate_over_splits(even_sides(two[0], shift=0), metrics=["hiou"], convention="d2-main")["hiou"]
    assert mean is not None and text in mean.caution
