"""Tests of ranks and of the ranks that the variation allows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmark.evaluation.calibration import REGIMES, draw_methods
from benchmark.evaluation.ranks import RowRank, estimate_ranks
from benchmark.evaluation.sides import Side
from benchmark.evaluation.stats import compare_sides
from tests.evaluation.synthetic_runs import make, make_even, make_side


def rank(*sides: Side) -> list[RowRank]:
    return estimate_ranks(sides, metric="hiou", convention="d2-0.6")


def test_methods_far_apart_have_certain_ranks() -> None:
    assert rank(make_side(0.5), make_side(0.9), make_side(0.2)) == [
        RowRank(2, 2, 2, False),
        RowRank(1, 1, 1, False),
        RowRank(3, 3, 3, False),
    ]


def test_equal_methods_are_tied_and_can_have_each_others_rank() -> None:
    assert rank(make_side(0.5), make_side(0.9), make_side(0.5)) == [
        RowRank(2, 2, 3, True),
        RowRank(1, 1, 1, False),
        RowRank(2, 2, 3, True),
    ]


def test_ranks_do_not_depend_on_the_order_of_the_methods() -> None:
    sides = [make_side(0.5), make_side(0.52, shift=3), make_side(0.55, shift=6), make_side(0.8)]
    assert rank(*sides) == rank(*sides[::-1])[::-1]


def test_a_pair_is_ranked_as_its_difference_is_decided() -> None:
    for gain in (0.0, 0.02, 0.04, 0.06, 0.1, 0.2):
        a, b = make_side(0.5, seeds=range(5)), make_side(0.5 + gain, seeds=range(5), shift=7)
        (difference,) = compare_sides([a], b, metric="hiou", convention="d2-0.6")
        is_certain = rank(a, b)[0].low == rank(a, b)[0].high
        assert is_certain == (difference.p_value < 0.05) or 0.03 < difference.p_value < 0.07


def test_deterministic_runs_that_never_vary_are_ranked_by_their_scores() -> None:
    sides = [Side({0: make_even(right)}, is_deterministic=True) for right in (50, 60, 50)]
    assert rank(*sides) == [RowRank(2, 2, 3, True), RowRank(1, 1, 1, False), RowRank(2, 2, 3, True)]


def test_random_runs_that_never_vary_can_have_every_rank() -> None:
    sides = [Side({seed: make_even(right) for seed in range(3)}) for right in (50, 60, 50)]
    assert rank(*sides) == [RowRank(2, 1, 3, True), RowRank(1, 1, 3, False), RowRank(2, 1, 3, True)]
    varied = Side({seed: make_even(right) for seed, right in enumerate((90, 95, 92))})
    assert rank(*sides[:2], varied)[2] == RowRank(1, 1, 1, False)


def test_ranks_are_those_of_unrounded_scores() -> None:
    sides = [make_side(0.5), make_side(0.52, shift=3), make_side(0.55, shift=6), make_side(0.8)]
    assert estimate_ranks(sides, metric="hiou", convention="mmseg") == rank(*sides)


def test_a_single_run_is_as_uncertain_over_seeds_as_the_others() -> None:
    several = [Side({seed: make_even(right + 6 * seed) for seed in range(3)}) for right in (50, 58)]
    single = Side({0: make_even(64)})
    assert rank(*several, single)[2] == RowRank(2, 1, 3, False)
    assert rank(*several, replace(single, is_deterministic=True))[2].rank == 2


def test_one_image_allows_every_rank() -> None:
    sides = [Side({0: make(skill, images=1)}) for skill in (0.2, 0.9)]
    assert rank(*sides) == [RowRank(2, 1, 2, False), RowRank(1, 1, 2, False)]


def test_no_methods_have_no_ranks_and_an_undefined_score_is_an_error() -> None:
    assert rank() == []
    side = Side({0: replace(make(0.5), seen=(True, True, True))})
    with pytest.raises(ValueError, match="hiou is not defined for 1 of 1 rows"):
        rank(side)


def test_equal_methods_get_every_rank_about_as_often_as_promised() -> None:
    covered = []
    for stream in np.random.SeedSequence(8).spawn(60):
        sides = draw_methods(REGIMES[2], np.random.default_rng(stream), skills=(0.0,) * 3, seeds=3)
        ranks = estimate_ranks(sides, metric="hiou", convention="d2-main")
        covered += [(each.low, each.high) == (1, 3) for each in ranks]
    assert np.mean(covered) > 0.87  # 0.95 expected, standard deviation below 0.03
