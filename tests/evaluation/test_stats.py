"""Tests of intervals, paired comparisons and Holm's correction against tables, loops and synthetic populations."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import sparse, stats

from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.scores import score_totals
from benchmark.evaluation.stats import (
    PairedDifference,
    adjust_holm,
    bootstrap_differences,
    bootstrap_images,
    compute_t_interval,
)

SEEN = (True, True, False)


def make(skill: float, *, seed: int = 0, images: int = 40) -> Counts:
    """Return counts of a run that gets about `skill` of every class right; the other pixels go to the next class."""
    target = np.random.default_rng(99).integers(1, 50, (images, 3))
    return counts_of(np.random.default_rng(seed).binomial(target, skill), target)


def counts_of(both: NDArray[np.int64], target: NDArray[np.int64]) -> Counts:
    """Return counts of these correct and labeled pixels (images, 3); the others are predicted as the next class."""
    prediction = both + np.roll(target - both, 1, axis=1)
    none = np.zeros((3, len(GAMMAS) + 1), dtype=np.int64)
    ids = tuple(f"{number:03}" for number in range(len(target)))
    rows = [sparse.csr_array(matrix) for matrix in (both, prediction, target)]
    confusion = np.diag(both.sum(axis=0)) + np.roll(np.diag((target - both).sum(axis=0)), 1, axis=1)
    return Counts(ids, ("a", "b", "c"), SEEN, rows[0], rows[1], rows[2], none, none, sparse.csr_array(confusion))


def without_unseen(counts: Counts) -> Counts:
    return replace(counts, seen=(True, True, True))


def compare(a: list[Counts], b: list[Counts], *, seed: int = 0, replicates: int = 300) -> PairedDifference:
    (difference,) = bootstrap_differences([a], b, metric="hiou", convention="d2-0.6", replicates=replicates, seed=seed)
    return difference


def hiou_of(counts: Counts, rows: list[int]) -> float:
    arrays = [matrix.toarray()[rows].sum(axis=0) for matrix in (counts.intersection, counts.prediction, counts.target)]
    return score_totals(*arrays, seen=SEEN, convention="d2-0.6").hiou


def test_the_interval_over_three_seeds_reaches_the_tabled_t_quantile() -> None:
    interval = compute_t_interval([1.0, 2.0, 3.0])
    assert interval is not None and interval.kind == "seeds" and interval.level == 0.95
    assert (interval.low, interval.high) == pytest.approx((2 - 4.302653 / math.sqrt(3), 2 + 4.302653 / math.sqrt(3)))


def test_the_t_interval_agrees_with_scipy() -> None:
    values = [60.1, 61.7, 59.2, 60.0, 63.3]
    interval = compute_t_interval(values, 0.9)
    low, high = stats.t.interval(0.9, 4, loc=np.mean(values), scale=stats.sem(values))
    assert interval is not None and (interval.low, interval.high) == pytest.approx((low, high))


@pytest.mark.parametrize("values", [[60.0], [60.0, math.nan], [math.nan]])
def test_one_seed_or_an_undefined_score_has_no_interval(values: list[float]) -> None:
    assert compute_t_interval(values) is None


def test_no_values_are_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        compute_t_interval([])


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0, math.nan])
def test_a_level_is_a_fraction(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        compute_t_interval([1.0, 2.0], level)


def test_the_image_bootstrap_equals_a_loop_over_resampled_images() -> None:
    runs = [make(0.6), make(0.6, seed=1)]
    raw = np.random.PCG64(7).random_raw(100 * 40).reshape(100, 40) % 40
    slow = [np.mean([hiou_of(run, rows) for run in runs]) for rows in raw.tolist()]
    interval = bootstrap_images(runs, metrics=["hiou"], convention="d2-0.6", replicates=100, seed=7)["hiou"]
    assert interval is not None and interval.kind == "images"
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(slow, [0.025, 0.975])))


def test_replicates_do_not_depend_on_how_they_are_chunked(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compare([make(0.6)], [make(0.5)])
    monkeypatch.setattr("benchmark.evaluation.resampling.CHUNK_PIXELS", 7 * 5 * 3)
    assert compare([make(0.6)], [make(0.5)]) == whole


def test_the_same_seed_gives_the_same_drawings_and_another_seed_others() -> None:
    a, b = [make(0.6)], [make(0.58)]
    assert compare(a, b, seed=1) == compare(a, b, seed=1) != compare(a, b, seed=2)


def test_one_image_resampled_is_always_itself() -> None:
    interval = bootstrap_images([make(0.6, images=1)], metrics=["miou"], convention="d2-main", replicates=20)["miou"]
    assert interval is not None and interval.low == interval.high


def test_a_score_that_is_not_defined_has_no_interval() -> None:
    assert bootstrap_images([without_unseen(make(0.6))], metrics=["hiou"], convention="d2-main") == {"hiou": None}


def test_replicates_without_any_unseen_pixel_are_left_out() -> None:
    lone = counts_of(np.array([[5, 5, 5], [5, 9, 0], [5, 9, 0]]), np.array([[9, 9, 9], [9, 9, 0], [9, 9, 0]]))
    paired = compare([lone], [lone])
    assert 100 < paired.replicates < 300 and paired.interval.low == paired.interval.high == 0.0


def test_a_method_does_not_differ_from_itself() -> None:
    paired = compare([make(0.6), make(0.6, seed=1)], [make(0.6), make(0.6, seed=1)])
    assert (paired.difference, paired.interval.low, paired.interval.high, paired.p_value) == (0.0, 0.0, 0.0, 1.0)


def test_a_clear_difference_has_the_smallest_p_value_the_replicates_allow() -> None:
    paired = compare([make(0.9)], [make(0.3)], replicates=99)
    assert paired.p_value == pytest.approx(2 / 100) and paired.interval.low > 0
    assert (paired.images, paired.seeds, paired.replicates) == (40, (1, 1), 99)


def test_exchanging_the_methods_turns_the_sign_and_keeps_the_p_value() -> None:
    a, b = [make(0.6), make(0.6, seed=1)], [make(0.58, seed=2), make(0.58, seed=3)]
    one, other = compare(a, b), compare(b, a)
    assert other.difference == -one.difference and other.p_value == one.p_value
    assert (-other.interval.high, -other.interval.low) == pytest.approx((one.interval.low, one.interval.high))


def test_methods_that_vary_together_over_seeds_are_compared_within_seeds() -> None:
    lucky, unlucky = make(0.9), make(0.3)
    paired = compare([lucky, unlucky], [lucky, unlucky])
    independent = compare([lucky, unlucky], [lucky, unlucky, lucky])
    assert paired.interval.high - paired.interval.low == 0.0
    assert independent.interval.high - independent.interval.low > 10


def test_an_interval_names_whether_seeds_were_drawn_too() -> None:
    a, b = make(0.6), make(0.5)
    assert compare([a], [b]).interval.kind == "images"
    assert compare([a, a], [b]).interval.kind == "images and seeds"


def test_a_true_null_hypothesis_is_rejected_about_as_often_as_promised() -> None:
    rejected = sum(
        compare([make(0.6, seed=2 * k + 1)], [make(0.6, seed=2 * k + 2)], replicates=199).p_value <= 0.1
        for k in range(200)
    )
    assert 8 <= rejected <= 36  # 20 expected; beyond three standard deviations something is wrong


def test_several_sides_are_compared_like_each_alone() -> None:
    sides, reference = [[make(0.6)], [make(0.6), make(0.5)], [make(0.4)]], [make(0.5, seed=1)]
    together = bootstrap_differences(sides, reference, metric="hiou", convention="d2-0.6", replicates=300)
    assert together == [compare(side, reference) for side in sides]


def test_runs_on_different_images_are_not_compared() -> None:
    a, b = make(0.6), make(0.6, images=37)
    with pytest.raises(ValueError, match="lacks 3 of the first run's 40 and has 0 others"):
        compare([a], [b])


def test_runs_on_different_labels_are_not_compared() -> None:
    a = make(0.6)
    b = replace(a, target=a.prediction, prediction=a.target, confusion=a.confusion.T)
    with pytest.raises(ValueError, match="different labels"):
        compare([a], [b])


def test_runs_of_different_splits_are_not_compared() -> None:
    with pytest.raises(ValueError, match="runs of one split"):
        compare([make(0.6)], [without_unseen(make(0.6))])


def test_an_undefined_score_is_not_compared() -> None:
    run = without_unseen(make(0.6))
    with pytest.raises(ValueError, match="hiou is not defined"):
        compare([run], [run])


@pytest.mark.parametrize(("a", "b", "name"), [([], [make(0.5)], "a"), ([make(0.5)], [], "b")])
def test_both_sides_need_runs(a: list[Counts], b: list[Counts], name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} has no runs"):
        compare(a, b)


def test_no_runs_no_images_and_no_replicates_are_errors() -> None:
    for runs, replicates in (([], 10), ([make(0.5, images=0)], 10), ([make(0.5)], 0)):
        with pytest.raises(ValueError, match="at least"):
            bootstrap_images(runs, metrics=["miou"], convention="mmseg", replicates=replicates)


def test_an_unknown_metric_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match="did you mean 'hiou'"):
        bootstrap_images([make(0.5)], metrics=["hIoU"], convention="mmseg")  # type: ignore[list-item]


def test_holm_adjusts_a_hand_worked_family() -> None:
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_holm_never_exceeds_one_and_leaves_a_single_test_alone() -> None:
    assert adjust_holm([0.6, 0.9]) == (1.0, 1.0) and adjust_holm([0.02]) == (0.02,) and adjust_holm([]) == ()


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_holm_refuses_values_outside_zero_to_one(bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust_holm([0.5, bad])
