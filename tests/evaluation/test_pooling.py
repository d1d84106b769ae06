"""Tests of comparisons over several splits, against scipy's t test, an analysis of variance, and degenerate runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmark.evaluation.pooling import ONE_SPLIT, compare_over_splits
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import ONE_IMAGE, compare_sides
from tests.evaluation.split_runs import counts_on, even_sides, iou, pool, table_sides

RIGHT_A = ((70, 72, 71), (60, 66, 61), (75, 74, 79), (65, 61, 60))
RIGHT_B = ((66, 65, 64), (61, 62, 66), (70, 70, 70), (63, 60, 62))


def gains(a: tuple[tuple[int, ...], ...] = RIGHT_A) -> list[float]:
    return [
        float(np.mean([iou(right) for right in own]) - np.mean([iou(right) for right in other]))
        for own, other in zip(a, RIGHT_B, strict=True)
    ]


def floors(split: int, seed: int) -> Side:
    """Return a run without a right pixel of any unseen class: its hIoU is 0."""
    rng = np.random.default_rng(seed)
    target = np.full((6, 6), 100)
    run = counts_on(split, rng.integers(30, 60, (6, 6)), target)
    both = run.intersection.toarray() * np.array(run.seen)
    return Side({0: counts_on(split, both, target)})


def test_without_image_noise_the_rule_is_the_t_test_of_the_splits() -> None:
    pooled = pool(even_sides(RIGHT_A), even_sides(RIGHT_B))
    test = stats.ttest_1samp(gains(), 0)
    low, high = map(float, test.confidence_interval(0.95))
    assert (pooled.difference, pooled.p_value) == pytest.approx((np.mean(gains()), test.pvalue))
    assert (pooled.interval.low, pooled.interval.high, pooled.df) == pytest.approx((low, high, 3))
    assert (pooled.interval.kind, pooled.interval.caution) == ("splits, seeds and images", "")


def test_every_split_counts_the_same_however_many_seeds_it_has() -> None:
    rights = ((70, 72), (60, 66, 61), (75,), (65, 61, 60))
    pooled = pool(even_sides(rights), even_sides(RIGHT_B))
    test = stats.ttest_1samp(gains(rights), 0)
    assert (pooled.difference, pooled.p_value) == pytest.approx((np.mean(gains(rights)), test.pvalue))
    assert pooled.by_split["s2"].seeds == (1, 3)


def test_the_variance_is_that_of_a_balanced_analysis_of_variance() -> None:
    rights = np.random.default_rng(3).integers(40, 61, (5, 3, 7))
    rights += np.random.default_rng(4).integers(0, 15, (5, 1, 7)) + 3 * np.arange(7)
    pooled = pool(table_sides(rights), table_sides(np.full((5, 3, 7), 50)), metric="pixel_accuracy")
    cells, splits, images = rights.mean(axis=1), rights.mean(axis=(1, 2)), rights.mean(axis=(0, 1))
    both = cells - splits[:, None] - images + rights.mean()
    mean_squares = 21 * splits.var(ddof=1), 15 * images.var(ddof=1), 3 * (both**2).sum() / (4 * 6)
    variance = (mean_squares[0] + mean_squares[1] - mean_squares[2]) / rights.size
    assert pooled.standard_error == pytest.approx(math.sqrt(variance))


def test_the_difference_is_the_mean_of_those_by_split() -> None:
    a, b = even_sides(RIGHT_A), even_sides(RIGHT_B)
    pooled = pool(a, b)
    for split, paired in pooled.by_split.items():
        assert [paired] == compare_sides([a[split]], b[split], metric="hiou", convention="d2-main")
    assert pooled.difference == pytest.approx(np.mean([paired.difference for paired in pooled.by_split.values()]))


def test_p_is_below_alpha_exactly_if_the_interval_excludes_zero() -> None:
    a, b = even_sides(RIGHT_A), even_sides(RIGHT_B)
    p = pool(a, b).p_value
    for level in (1 - p - 1e-6, 1 - p + 1e-6):
        pooled = compare_over_splits(a, b, metric="hiou", convention="d2-main", level=level)
        assert (pooled.interval.low > 0) is (pooled.p_value < 1 - level)


def test_one_run_a_split_covers_the_seeds_as_well() -> None:
    pooled = pool(even_sides([own[:1] for own in RIGHT_A]), even_sides([own[:1] for own in RIGHT_B]))
    values = [iou(a[0]) - iou(b[0]) for a, b in zip(RIGHT_A, RIGHT_B, strict=True)]
    assert pooled.p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    assert "not covered" not in pooled.interval.caution and pooled.least_p == 2**-3


def test_a_deterministic_method_is_compared_by_its_one_run_a_split() -> None:
    fixed = even_sides([[66], [62], [70], [60]], is_deterministic=True)
    values = [
        float(np.mean([iou(right) for right in own])) - iou(other)
        for own, other in zip(RIGHT_A, (66, 62, 70, 60), strict=True)
    ]
    assert pool(even_sides(RIGHT_A), fixed).p_value == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    both = pool(even_sides([[61], [63], [64], [69]], is_deterministic=True), fixed)
    assert both.interval.kind == "splits and images" and both.components is not None and both.components.seeds == 0


def test_splits_of_one_side_alone_take_no_part() -> None:
    a, b = even_sides(RIGHT_A), even_sides(RIGHT_B)
    pooled = pool({split: a[split] for split in ("s0", "s1", "s3")}, b)
    assert pooled.splits == ("s0", "s1", "s3")
    assert pooled.interval.caution == "over the three splits that both have, of its three and the reference's four"
    with pytest.raises(ValueError, match=r"no split has runs of both: a has \['s0'\], b has \['s1'\]"):
        pool({"s0": a["s0"]}, {"s1": b["s1"]})


def test_one_split_keeps_its_own_interval_and_says_what_it_lacks() -> None:
    a, b = even_sides(RIGHT_A[:1]), even_sides(RIGHT_B[:1])
    pooled = pool(a, b)
    (paired,) = compare_sides([a["s0"]], b["s0"], metric="hiou", convention="d2-main")
    assert pooled.interval == replace(paired.interval, caution=ONE_SPLIT)
    assert (pooled.p_value, pooled.components, pooled.split_sd) == (paired.p_value, None, None)


def test_two_splits_are_unreliable() -> None:
    assert pool(even_sides(RIGHT_A[:2]), even_sides(RIGHT_B[:2])).interval.caution == "two splits: unreliable"


def test_a_split_on_which_the_score_is_not_defined_takes_no_part() -> None:
    target = np.full((6, 6), 100) * np.array([0, 0, 1, 1, 1, 1])  # the unseen classes of s0 do not occur
    skills = {"a": (60, 70, 65), "b": (55, 69, 50)}
    a, b = (
        {f"s{split}": Side({0: counts_on(split, target * skill // 100, target)}) for split, skill in enumerate(own)}
        for own in skills.values()
    )
    pooled = pool(a, b)
    assert pooled.splits == ("s1", "s2") and "not defined on one of three splits" in pooled.interval.caution
    with pytest.raises(ValueError, match=r"hiou is not defined on any of the splits \[.s0.\]"):
        pool({"s0": a["s0"]}, {"s0": b["s0"]})


def test_a_split_on_which_both_are_at_the_floor_is_a_difference_of_zero() -> None:
    a, b = even_sides(RIGHT_A[:3]), even_sides(RIGHT_B[:3])
    pooled = pool(a | {"s3": floors(3, 1)}, b | {"s3": floors(3, 2)})
    test = stats.ttest_1samp([*gains()[:3], 0.0], 0)
    assert pooled.p_value == pytest.approx(test.pvalue)
    assert pooled.interval.caution == "no variation observed on one of four splits"


def test_floors_on_all_splits_decide_nothing() -> None:
    pooled = pool(*({f"s{split}": floors(split, seed + split) for split in range(4)} for seed in (0, 50)))
    assert (pooled.difference, pooled.p_value, pooled.interval.low) == (0.0, 1.0, -100.0)
    assert "nothing can be concluded" in pooled.interval.caution and pooled.components is None


def test_equal_runs_of_a_deterministic_method_are_no_difference_at_all() -> None:
    sides = even_sides([[61], [63], [64]], is_deterministic=True)
    pooled = pool(sides, sides)
    assert (pooled.difference, pooled.p_value, pooled.standard_error) == (0.0, 1.0, 0.0)


def test_a_score_that_rests_on_one_image_of_one_split_has_no_interval() -> None:
    target = np.full((6, 6), 100)
    target[1:, :2] = 0  # the unseen classes of s0 are in one image
    sides = [
        {f"s{split}": Side({0: counts_on(split, target * right // 100, target)}) for split in range(3)}
        for right in (60, 50)
    ]
    pooled = pool(*sides)
    assert math.isinf(pooled.standard_error) and ONE_IMAGE in pooled.interval.caution and pooled.components is None


@pytest.mark.parametrize(("up", "down", "ties"), [(9, 1, 0), (3, 6, 1), (5, 5, 0), (1, 0, 2), (0, 0, 3)])
def test_signs_are_counted_and_tested_as_a_coin(up: int, down: int, ties: int) -> None:
    rights = [70] * up + [50] * down + [60] * ties
    pooled = pool(even_sides([[right] for right in rights]), even_sides([[60]] * len(rights)))
    assert (pooled.num_positive, pooled.num_negative) == (up, down)
    expected = stats.binomtest(up, up + down).pvalue if up + down else 1.0
    assert pooled.sign_p == pytest.approx(expected)
