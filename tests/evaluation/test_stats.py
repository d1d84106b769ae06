"""Tests of intervals of means and of comparisons, against scipy's tests, loops over images and degenerate runs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from benchmark.evaluation.counts import Counts
from benchmark.evaluation.scores import DATASET_METRICS, Metric, score
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import Interval, PairedDifference, compare_sides, estimate_means
from tests.evaluation.synthetic_runs import counts_of, make, make_even, make_side, score_rows

RIGHT_A, RIGHT_B = (61, 70, 66, 72, 64), (60, 66, 68, 65, 60)


def even_side(right: tuple[int, ...], *, first_seed: int = 0) -> Side:
    return Side({first_seed + seed: make_even(count) for seed, count in enumerate(right)})


def iou(right: tuple[int, ...]) -> list[float]:
    return [100 * count / (200 - count) for count in right]


def compare(a: Side, b: Side, *, level: float = 0.95) -> PairedDifference:
    (difference,) = compare_sides([a], b, metric="hiou", convention="d2-0.6", level=level)
    return difference


def estimate(side: Side, *, level: float = 0.95) -> Interval:
    interval = estimate_means(side, metrics=["hiou"], convention="d2-0.6", level=level)["hiou"]
    assert interval is not None
    return interval


def without_unseen(counts: Counts) -> Counts:
    return replace(counts, seen=(True, True, True))


def floor(seed: int) -> Counts:
    """Return counts of a run that gets no pixel of the unseen class right: its hIoU is 0."""
    target = np.random.default_rng(99).integers(1, 50, (40, 3))
    return counts_of(np.random.default_rng(seed).binomial(target, [0.6, 0.6, 0.0]), target)


def worse_unseen(seed: int, lost: int) -> Counts:
    """Return counts whose seen class, the second, is the same for every number of lost pixels of the third."""
    right = np.random.default_rng(seed).integers(5, 9, (40, 3)) - np.array([0, 0, lost])
    return replace(counts_of(right, np.full((40, 3), 10)), seen=(False, True, False))


def jackknife_error(a: Counts, b: Counts | None = None) -> float:
    """Standard error over the images by a loop that scores all images but one."""
    rows = [[row for row in range(40) if row != left] for left in range(40)]
    scores = np.array([score_rows(a, kept) - (score_rows(b, kept) if b else 0) for kept in rows])
    return math.sqrt(39 / 40 * ((scores - scores.mean()) ** 2).sum())


def test_without_variation_over_images_the_interval_of_a_mean_is_students() -> None:
    values = iou(RIGHT_A)
    low, high = stats.t.interval(0.9, 4, loc=np.mean(values), scale=stats.sem(values))
    interval = estimate(even_side(RIGHT_A), level=0.9)
    assert (interval.low, interval.high, interval.df) == pytest.approx((low, high, 4))
    assert (interval.kind, interval.caution) == ("seeds and images", "")


def test_without_variation_over_images_shared_seeds_give_the_paired_t_test() -> None:
    expected = stats.ttest_rel(iou(RIGHT_A), iou(RIGHT_B))
    difference = compare(even_side(RIGHT_A), even_side(RIGHT_B))
    assert difference.p_value == pytest.approx(expected.pvalue) and difference.pairing == "seeds"
    ends = (difference.interval.low, difference.interval.high)
    assert ends == pytest.approx(tuple(expected.confidence_interval(0.95)))


def test_without_variation_over_images_other_seeds_give_welchs_test() -> None:
    a, b = iou(RIGHT_A), iou(RIGHT_B)
    difference = compare(even_side(RIGHT_A), even_side(RIGHT_B, first_seed=5))
    assert difference.standard_error == pytest.approx(math.sqrt(np.var(a, ddof=1) / 5 + np.var(b, ddof=1) / 5))
    assert difference.df == pytest.approx(stats.ttest_ind(a, b, equal_var=False).df) and difference.pairing == "none"


def test_a_single_run_has_the_jackknife_error_over_images() -> None:
    interval = estimate(Side({0: make(0.6)}))
    assert interval.kind == "images" and interval.caution == "one run: variation over seeds is not covered"
    half_width = stats.t.ppf(0.975, interval.df) * jackknife_error(make(0.6))
    assert (interval.high - interval.low) / 2 == pytest.approx(half_width)


def test_two_single_runs_are_compared_over_images_alone() -> None:
    difference = compare(Side({0: make(0.6)}), Side({0: make(0.5, seed=9)}))
    assert difference.standard_error == pytest.approx(jackknife_error(make(0.6), make(0.5, seed=9)))
    assert (difference.interval.kind, difference.least_p, difference.seeds) == ("images", None, (1, 1))
    assert difference.interval.caution == "one run a side: variation over seeds is not covered"


def test_a_deterministic_method_covers_the_images_without_a_caution() -> None:
    random, fixed = Side({0: make(0.6)}), Side({0: make(0.6)}, is_deterministic=True)
    assert estimate(fixed) == replace(estimate(random), caution="")


def test_a_deterministic_method_adds_no_variance_over_seeds() -> None:
    difference = compare(Side({0: make_even(80)}, is_deterministic=True), even_side(RIGHT_B))
    assert difference.p_value == pytest.approx(stats.ttest_1samp(iou(RIGHT_B), 100 * 80 / 120).pvalue)
    assert (difference.pairing, difference.interval.caution, difference.least_p) == ("none", "", 2**-4)


def test_a_single_run_takes_its_variance_over_seeds_from_the_other_side() -> None:
    difference = compare(Side({0: make_even(80)}), even_side(RIGHT_B))
    assert difference.standard_error == pytest.approx(math.sqrt(np.var(iou(RIGHT_B), ddof=1) * (1 + 1 / 5)))
    assert difference.df == pytest.approx(4) and difference.least_p == pytest.approx(1 / 6)
    assert difference.interval.caution.startswith("one run against five: the variation over seeds of the single run is")


def test_the_p_value_is_below_the_level_exactly_if_the_interval_excludes_zero() -> None:
    a, b = make_side(0.62), make_side(0.6, shift=10)
    p = compare(a, b).p_value
    narrow, wide = compare(a, b, level=1 - p - 1e-6).interval, compare(a, b, level=1 - p + 1e-6).interval
    assert narrow.low > 0 or narrow.high < 0
    assert wide.low < 0 < wide.high


def test_three_shared_seeds_are_compared_without_the_others() -> None:
    difference = compare(even_side(RIGHT_A), even_side(RIGHT_B[:3]))
    assert difference.p_value == pytest.approx(stats.ttest_rel(iou(RIGHT_A[:3]), iou(RIGHT_B[:3])).pvalue)
    assert (difference.seeds, difference.pairing, difference.least_p) == ((3, 3), "shared seeds", 0.25)
    assert difference.interval.caution == "over the three shared seeds of five and three runs"


def test_two_seeds_are_flagged() -> None:
    assert estimate(make_side(0.6, seeds=(0, 1))).caution == "two seeds: unreliable"
    difference = compare(make_side(0.6, seeds=(0, 1)), make_side(0.5, seeds=(0, 1), shift=9))
    assert (difference.interval.caution, difference.least_p) == ("two seeds: unreliable", 0.5)


def test_unpaired_runs_have_as_many_permutations_as_choices() -> None:
    difference = compare(make_side(0.6, seeds=(0, 1, 2)), make_side(0.5, seeds=(3, 4, 5), shift=9))
    assert difference.least_p == 2 / 20


def test_equal_runs_show_no_variance_over_seeds_and_say_so() -> None:
    interval = estimate(Side({seed: make(0.6) for seed in range(3)}))
    single = estimate(Side({0: make(0.6)}))
    assert (interval.low, interval.high) == pytest.approx((single.low, single.high))
    assert interval.caution == "all runs have the same counts: the seed seems to change nothing"


def test_a_method_does_not_differ_from_itself() -> None:
    difference = compare(make_side(0.6), make_side(0.6))
    assert (difference.difference, difference.standard_error, difference.p_value) == (0.0, 0.0, 1.0)
    assert (difference.interval.low, difference.interval.high) == (0.0, 0.0)


def test_a_difference_of_random_runs_that_never_vary_is_unknown() -> None:
    difference = compare(even_side((60, 60, 60)), even_side((50, 50, 50)))
    assert difference.difference == pytest.approx(100 * 60 / 140 - 100 * 50 / 150)
    assert (difference.interval.low, difference.interval.high, difference.p_value) == (-100, 100, 1)
    assert difference.interval.caution == "no variation observed although the runs differ: nothing can be concluded"


def test_a_difference_of_deterministic_runs_that_never_vary_is_certain() -> None:
    a, b = (Side({0: make_even(right)}, is_deterministic=True) for right in (60, 50))
    difference = compare(a, b)
    assert difference.p_value == 0.0 and difference.interval.low == difference.interval.high > 0


@pytest.mark.parametrize("seeds", [(0, 1, 2), (3, 4, 5), (3,)])
def test_floor_scores_of_runs_that_differ_decide_nothing(seeds: tuple[int, ...]) -> None:
    a, b = Side({seed: floor(seed) for seed in range(3)}), Side({seed: floor(seed + 7) for seed in seeds})
    difference = compare(a, b)
    assert (difference.difference, difference.p_value, difference.standard_error) == (0, 1, math.inf)
    assert "no variation observed although the runs differ" in difference.interval.caution
    interval = estimate(a)
    assert (interval.low, interval.high) == (0, 0)
    assert interval.caution == "no variation observed: nothing can be concluded"


def test_floor_scores_of_equal_or_deterministic_runs_are_equal() -> None:
    a, b = Side({0: floor(0)}), Side({0: floor(1)})
    same, fixed = compare(a, a), compare(replace(a, is_deterministic=True), replace(b, is_deterministic=True))
    assert same.standard_error == fixed.standard_error == 0 and same.interval.high == fixed.interval.high == 0
    assert compare(a, replace(b, is_deterministic=True)).standard_error == math.inf


def test_equal_scores_that_vary_are_equal_although_other_counts_differ() -> None:
    a, b = (Side({seed: worse_unseen(seed, lost) for seed in range(3)}) for lost in (0, 2))
    (difference,) = compare_sides([a], b, metric="miou_seen", convention="d2-main")
    assert (difference.difference, difference.standard_error, difference.p_value) == (0, 0, 1)
    assert compare(a, b).difference > 0


def test_one_image_says_nothing_about_others() -> None:
    runs = {seed: make(0.6, seed=seed, images=1) for seed in range(3)}
    assert estimate_means(Side(runs), metrics=["hiou"], convention="d2-main") == {"hiou": None}
    difference = compare(Side(runs), Side({seed: make(0.5, seed=seed, images=1) for seed in range(3)}))
    assert (difference.interval.low, difference.interval.high, difference.p_value) == (-100, 100, 1)
    assert difference.interval.caution == "rests on one image: variation over images is unknown"


def test_a_score_that_rests_on_one_image_has_no_known_variation() -> None:
    right = np.array([[5, 5, 5], [5, 5, 0], [5, 4, 0]])
    side = Side({0: counts_of(right, right + (right > 0))})  # only the first image has the unseen class
    intervals = estimate_means(side, metrics=["hiou", "miou_seen"], convention="d2-main")
    assert intervals["hiou"] is None and intervals["miou_seen"] is not None
    assert compare(side, side).p_value == 1


def test_a_score_that_is_not_defined_has_no_interval_and_is_not_compared() -> None:
    side = Side({0: without_unseen(make(0.6))})
    assert estimate_means(side, metrics=["hiou"], convention="d2-main") == {"hiou": None}
    with pytest.raises(ValueError, match="hiou is not defined"):
        compare(side, side)


def test_exchanging_the_methods_turns_the_sign_and_keeps_the_p_value() -> None:
    one, other = compare(make_side(0.6), make_side(0.58, shift=5)), compare(make_side(0.58, shift=5), make_side(0.6))
    assert (other.difference, other.p_value) == pytest.approx((-one.difference, one.p_value))
    assert (-other.interval.high, -other.interval.low) == pytest.approx((one.interval.low, one.interval.high))


def test_several_sides_are_compared_like_each_alone() -> None:
    sides, reference = [make_side(0.6), make_side(0.5, seeds=(0,))], make_side(0.5, shift=4)
    together = compare_sides(sides, reference, metric="hiou", convention="d2-0.6")
    assert together == [compare(side, reference) for side in sides]


@pytest.mark.parametrize("metric", DATASET_METRICS)
def test_with_many_images_mmseg_has_the_intervals_of_d2_06(metric: Metric) -> None:
    a, b = (
        Side({seed: make(skill, seed=seed, images=4000) for seed in seeds})
        for skill, seeds in ((0.6, (0, 1, 2)), (0.601, (3, 4, 5)))
    )
    plain, rounded = (compare_sides([a], b, metric=metric, convention=name)[0] for name in ("d2-0.6", "mmseg"))
    assert replace(rounded, convention="d2-0.6") == plain and plain.standard_error < 0.2
    ends = [estimate_means(a, metrics=[metric], convention=name)[metric] for name in ("d2-0.6", "mmseg")]
    assert ends[0] is not None and ends[1] is not None
    assert (ends[1].low, ends[1].high) == pytest.approx((ends[0].low, ends[0].high), abs=0.02)
    assert ends[1].high - ends[1].low == pytest.approx(ends[0].high - ends[0].low)


def test_under_mmseg_the_interval_of_a_mean_has_the_printed_mean_in_its_center() -> None:
    run = make(0.6)
    interval = estimate_means(Side({0: run}), metrics=["hiou"], convention="mmseg")["hiou"]
    assert interval is not None
    assert (interval.low + interval.high) / 2 == pytest.approx(score(run, "mmseg").hiou, abs=1e-9)
    assert abs(score(run, "mmseg").hiou - score(run, "d2-0.6").hiou) > 1e-5
