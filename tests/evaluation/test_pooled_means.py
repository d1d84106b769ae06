"""Tests of mean scores over several splits against scipy's t intervals."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmark.evaluation.pooled_means import estimate_over_splits
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import Interval, estimate_means
from tests.evaluation.split_runs import UNSEEN, counts_on, even_sides, iou

RIGHT = ((70, 72, 71), (60, 66), (75,), (65, 61, 60))


def estimate(sides: dict[str, Side], *, level: float = 0.95) -> Interval | None:
    return estimate_over_splits(sides, metrics=["hiou"], convention="d2-main", level=level)["hiou"]


def test_without_image_noise_the_interval_is_that_of_the_means_by_split() -> None:
    interval = estimate(even_sides(RIGHT), level=0.9)
    values = [np.mean([iou(right) for right in own]) for own in RIGHT]
    low, high = map(float, stats.ttest_1samp(values, 0).confidence_interval(0.9))
    assert interval is not None and (interval.low, interval.high, interval.df) == pytest.approx((low, high, 3))
    assert (interval.kind, interval.caution) == ("splits, seeds and images", "")


def test_the_interval_is_around_the_printed_scores() -> None:
    interval = estimate_over_splits(even_sides(RIGHT), metrics=["hiou"], convention="mmseg")["hiou"]
    printed = np.mean([np.mean([round(iou(right), 2) for right in own]) for own in RIGHT])
    assert interval is not None and (interval.low + interval.high) / 2 == pytest.approx(printed, abs=1e-9)


def test_one_split_has_the_interval_of_its_seeds_and_says_so() -> None:
    sides = even_sides(RIGHT[:1])
    interval = estimate(sides)
    alone = estimate_means(sides["s0"], metrics=["hiou"], convention="d2-main")["hiou"]
    assert interval is not None and alone is not None and (interval.low, interval.high) == (alone.low, alone.high)
    assert interval.caution == "one split: the choice of classes is not covered"


def test_deterministic_methods_vary_over_splits_and_images_alone() -> None:
    interval = estimate(even_sides([[60], [70], [65]], is_deterministic=True))
    assert interval is not None and interval.kind == "splits and images"


def test_scores_without_any_variation_conclude_nothing() -> None:
    interval = estimate(even_sides([[60], [60], [60]]))
    assert interval is not None and "nothing can be concluded" in interval.caution


def test_splits_without_a_defined_score_take_no_part() -> None:
    target = np.full((6, 6), 100) * np.array([0, 0, 1, 1, 1, 1])
    sides = {f"s{split}": Side({0: counts_on(split, target // 2, target)}) for split in range(len(UNSEEN))}
    interval = estimate(sides)
    assert interval is not None and interval.caution.startswith("not defined on one of 10 splits")
    assert estimate({"s0": sides["s0"]}) is None


def test_splits_that_are_no_pool_are_refused() -> None:
    sides = even_sides(RIGHT)
    with pytest.raises(ValueError, match="splits s0 and other withhold the same classes: pool splits that differ"):
        estimate({"s0": sides["s0"], "other": sides["s0"]})
    with pytest.raises(ValueError, match="no splits"):
        estimate({})
