"""Tests of scores against numbers worked out by hand and a slow recount."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import sparse

from benchmark.evaluation.counts import GAMMAS, Counts
from benchmark.evaluation.scores import (
    CONVENTIONS,
    Convention,
    Scores,
    compute_gamma_curve,
    compute_means,
    compute_seen_unseen_area,
    score,
    score_totals,
)

# Classes: seen a (IoU 8/10), seen b (IoU 4/8), unseen c (IoU 3/10), unseen d (never a target, predicted on 2 pixels),
# unseen e (never a target, never predicted).
INTERSECTION, PREDICTION, TARGET = np.array([8, 4, 3, 0, 0]), np.array([8, 7, 6, 2, 0]), np.array([10, 5, 7, 0, 0])
SEEN = (True, True, False, False, False)


def hand(convention: Convention) -> Scores:
    return score_totals(INTERSECTION, PREDICTION, TARGET, seen=SEEN, convention=convention)


def counts_of(pairs: list[tuple[int, int]], *, classes: int, seen: tuple[bool, ...]) -> Counts:
    """Return counts of one image with these (target, prediction) pixels and empty margin counts."""
    table = np.zeros((classes, classes), dtype=np.int64)
    for true, predicted in pairs:
        table[true, predicted] += 1
    rows = (np.diag(table), table.sum(axis=0), table.sum(axis=1))
    none = np.zeros((classes, len(GAMMAS) + 1), dtype=np.int64)
    both, prediction, target = (sparse.csr_array(row[None]) for row in rows)
    names = tuple("abcdefgh"[:classes])
    return Counts(("x",), names, seen, both, prediction, target, none, none, sparse.csr_array(table))


def test_iou_per_class_is_intersection_over_union_in_percent() -> None:
    assert hand("d2-0.6").iou[:4] == pytest.approx((80.0, 50.0, 30.0, 0.0))


def test_d2_main_leaves_out_a_class_without_ground_truth() -> None:
    scores = hand("d2-main")
    assert [math.isnan(value) for value in scores.iou] == [False, False, False, True, True]
    assert (scores.miou_seen, scores.miou_unseen, scores.miou) == pytest.approx((65.0, 30.0, 160 / 3))
    assert scores.hiou == pytest.approx(2 * 65 * 30 / 95)


def test_d2_06_counts_a_class_predicted_without_ground_truth_as_zero() -> None:
    scores = hand("d2-0.6")
    assert [math.isnan(value) for value in scores.iou] == [False, False, False, False, True]
    assert (scores.miou_seen, scores.miou_unseen, scores.miou) == pytest.approx((65.0, 15.0, 40.0))
    assert scores.hiou == pytest.approx(2 * 65 * 15 / 80)


def test_mmseg_takes_the_harmonic_mean_of_rounded_means() -> None:
    scores = score_totals(np.array([1, 1]), np.array([1, 2]), np.array([3, 7]), seen=(True, False), convention="mmseg")
    assert (scores.miou_seen, scores.miou_unseen, scores.miou) == (33.33, 12.5, 22.92)
    assert scores.hiou == pytest.approx(2 * 33.33 * 12.5 / 45.83, abs=1e-12)
    assert abs(scores.hiou - 200 / 11) > 1e-4


def test_mmseg_counts_absent_classes_as_d2_06_does() -> None:
    assert hand("mmseg").miou_unseen == 15.0 and hand("mmseg").hiou == pytest.approx(24.375)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_pixel_accuracy_is_of_all_labeled_pixels(convention: Convention) -> None:
    assert hand(convention).pixel_accuracy == pytest.approx(100 * 15 / 22, abs=5e-3)


def test_conventions_agree_if_every_class_occurs() -> None:
    counts = counts_of([(0, 0), (0, 1), (1, 1), (2, 2), (2, 0)], classes=3, seen=(True, True, False))
    assert score(counts, "d2-main") == score(counts, "d2-0.6")
    assert score(counts, "mmseg").hiou == pytest.approx(score(counts, "d2-main").hiou, abs=0.01)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_hiou_is_zero_if_both_sides_are(convention: Convention) -> None:
    assert score(counts_of([(0, 1), (1, 0)], classes=2, seen=(True, False)), convention).hiou == 0.0


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_hiou_is_zero_if_one_side_is(convention: Convention) -> None:
    scores = score(counts_of([(0, 0), (1, 0)], classes=2, seen=(True, False)), convention)
    assert (scores.miou_seen, scores.miou_unseen, scores.hiou) == (50.0, 0.0, 0.0)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_without_unseen_classes_their_mean_and_hiou_are_undefined(convention: Convention) -> None:
    scores = score(counts_of([(0, 0), (1, 1)], classes=2, seen=(True, True)), convention)
    assert (scores.miou_seen, scores.miou) == (100.0, 100.0)
    assert math.isnan(scores.miou_unseen) and math.isnan(scores.hiou)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_without_a_labeled_pixel_nothing_is_defined(convention: Convention) -> None:
    scores = score(counts_of([], classes=2, seen=(True, False)), convention)
    named = (scores.miou_seen, scores.miou_unseen, scores.miou, scores.hiou, scores.pixel_accuracy)
    assert all(math.isnan(value) for value in (*named, *scores.iou))


def test_an_unknown_convention_lists_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'d2-0\.7'; did you mean 'd2-0\.6'\? There are: d2-main, d2-0\.6, mmseg"):
        hand("d2-0.7")  # type: ignore[arg-type]


def test_flags_and_classes_must_be_equally_many() -> None:
    with pytest.raises(ValueError, match="2 seen flags for 5 classes"):
        score_totals(INTERSECTION, PREDICTION, TARGET, seen=(True, False), convention="mmseg")


def test_many_datasets_at_once_are_scored_like_each_alone() -> None:
    stacked = [np.stack([array, 2 * array, array[[1, 0, 2, 3, 4]]]) for array in (INTERSECTION, PREDICTION, TARGET)]
    means = compute_means(*stacked, seen=SEEN, convention="d2-0.6")
    assert means["hiou"] == pytest.approx([hand("d2-0.6").hiou] * 3)


def slow_means(pairs: list[tuple[int, int]], seen: tuple[bool, ...], *, convention: str) -> dict[str, float]:
    """Return the same scores from a list of (target, prediction) pixels, in plain Python."""
    ious: list[tuple[bool, float]] = []
    for k, is_seen in enumerate(seen):
        union = [pair for pair in pairs if k in pair]
        if not union or (convention == "d2-main" and all(true != k for true, _ in pairs)):
            continue
        ious.append((is_seen, 100 * union.count((k, k)) / len(union)))
    digits = 2 if convention == "mmseg" else 12
    group: dict[str, list[float]] = {
        "miou_seen": [value for is_seen, value in ious if is_seen],
        "miou_unseen": [value for is_seen, value in ious if not is_seen],
        "miou": [value for _, value in ious],
    }
    means = {name: round(sum(part) / len(part), digits) if part else math.nan for name, part in group.items()}
    s, u = means["miou_seen"], means["miou_unseen"]
    return means | {"hiou": 2 * s * u / (s + u) if s + u != 0 else 0.0}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=12),
    st.tuples(*[st.booleans()] * 4),
    st.sampled_from(CONVENTIONS),
)
def test_scores_equal_a_slow_recount(
    pairs: list[tuple[int, int]], seen: tuple[bool, ...], convention: Convention
) -> None:
    scores = score(counts_of(pairs, classes=4, seen=seen), convention)
    tolerance = 0.02 if convention == "mmseg" else 1e-9  # half a cent may round either way
    for name, expected in slow_means(pairs, seen, convention=convention).items():
        assert getattr(scores, name) == pytest.approx(expected, abs=tolerance, nan_ok=True), name


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=20))
def test_hiou_is_between_zero_and_twice_the_smaller_side(pairs: list[tuple[int, int]]) -> None:
    scores = score(counts_of(pairs, classes=4, seen=(True, True, False, False)), "d2-0.6")
    assume(not math.isnan(scores.hiou))
    low, high = sorted((scores.miou_seen, scores.miou_unseen))
    assert low - 1e-9 <= scores.hiou <= min(high, 2 * low) + 1e-9


def make_sweep() -> Counts:
    """Return counts of two pixels: one of class a (seen) with margin bin 150, one of b (unseen) with bin 120."""
    pair = sparse.csr_array(np.array([[1, 1]]))
    margin = np.zeros((2, len(GAMMAS) + 1), dtype=np.int64)
    right = margin.copy()
    margin[:, [150, 120]] = 1
    right[0, 150] = right[1, 120] = 1
    first = sparse.csr_array(np.array([[1, 0]]))
    both_as_a = sparse.csr_array(np.array([[2, 0]]))
    confusion = sparse.csr_array(np.array([[1, 0], [1, 0]]))
    return Counts(("x",), ("a", "b"), (True, False), first, both_as_a, pair, right, margin, confusion)


def test_the_curve_holds_the_scores_at_every_gamma() -> None:
    curve = compute_gamma_curve(make_sweep(), "d2-main")
    assert curve.shape == (201, 4) and (curve[:, 0] == GAMMAS).all()
    assert curve[119].tolist() == pytest.approx([0.19, 50.0, 0.0, 0.0])
    assert curve[120].tolist() == pytest.approx([0.20, 100.0, 100.0, 100.0])
    assert curve[150].tolist() == pytest.approx([0.50, 0.0, 50.0, 0.0])


def test_the_curve_at_zero_is_the_score() -> None:
    scores, row = score(make_sweep(), "d2-0.6"), compute_gamma_curve(make_sweep(), "d2-0.6")[100]
    assert row.tolist() == [0.0, scores.miou_seen, scores.miou_unseen, scores.hiou]


def test_a_curve_through_the_perfect_point_has_all_the_area() -> None:
    assert compute_seen_unseen_area(compute_gamma_curve(make_sweep(), "d2-main")) == 100.0


@pytest.mark.parametrize(
    ("points", "area"),
    [
        ([(80.0, 0.0), (0.0, 60.0)], 0.0),
        ([(80.0, 10.0), (50.0, 40.0)], 8.0 + 15.0),
        ([(80.0, 10.0), (50.0, 40.0), (20.0, 30.0), (0.0, 20.0)], 8.0 + 15.0),
        ([(50.0, 40.0), (80.0, 10.0)], 8.0 + 15.0),
    ],
)
def test_the_area_covers_every_point_that_some_gamma_reaches(points: list[tuple[float, float]], area: float) -> None:
    rows: list[Any] = [(0.0, s, u, 0.0) for s, u in points]
    assert compute_seen_unseen_area(np.array(rows)) == pytest.approx(area)


def test_the_curve_of_a_split_without_unseen_classes_is_flat_and_has_no_area() -> None:
    curve = compute_gamma_curve(counts_of([(0, 0), (1, 1)], classes=2, seen=(True, True)), "d2-0.6")
    assert (curve[:, 1] == 100.0).all() and np.isnan(curve[:, 2:]).all()
    assert math.isnan(compute_seen_unseen_area(curve))
