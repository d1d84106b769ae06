"""Tests of Holm's correction and of the warning that so few seeds decide nothing."""

from __future__ import annotations

import math

import pytest

from benchmark.evaluation.families import adjust_holm, explain_undecidable, is_family_decidable


def test_holm_adjusts_a_hand_worked_family() -> None:
    assert adjust_holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))


def test_holm_never_exceeds_one_and_leaves_a_single_test_alone() -> None:
    assert adjust_holm([0.6, 0.9]) == (1.0, 1.0) and adjust_holm([0.02]) == (0.02,) and adjust_holm([]) == ()


@pytest.mark.parametrize("bad", [-0.1, 1.1, math.nan])
def test_holm_refuses_values_outside_zero_to_one(bad: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        adjust_holm([0.5, bad])


@pytest.mark.parametrize(
    ("least_ps", "is_decidable"),
    [
        ([2**-4], False),  # five seeds
        ([2**-5], True),
        ([2**-5, 2**-5], False),  # 0.03125 is above 0.025
        ([2**-6, 0.5], True),
        ([None, 2**-4], True),  # images alone decide the first
        ([], True),
    ],
)
def test_seeds_decide_a_family_if_the_least_p_passes_holm(least_ps: list[float | None], is_decidable: bool) -> None:
    assert is_family_decidable(least_ps) is is_decidable


def test_the_warning_says_what_can_be_reached_and_how_many_seeds_would_do() -> None:
    text = explain_undecidable([2**-4] * 4)
    assert "cannot go below 0.0625" in text and "4 comparisons need 0.013" in text and "8 paired seeds" in text
    assert explain_undecidable([2**-8]) == ""


def test_fewer_than_the_named_seeds_would_not_do() -> None:
    assert is_family_decidable([2**-7] * 4) and not is_family_decidable([2**-6] * 4)
