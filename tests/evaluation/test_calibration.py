"""Tests that intervals cover what they say and that tests reject no more than they say, on simulated methods."""

from __future__ import annotations

import pytest

from benchmark.evaluation.calibration import PAIRED, REGIMES, Regime, measure_rates, render, simulate


def test_a_true_null_hypothesis_over_seeds_is_rejected_about_as_often_as_promised() -> None:
    experiments = simulate(REGIMES[2], experiments=300, seed=1)
    rejected = [sum(each.paired[n].p_value < 0.05 for each in experiments) for n in (3, 5)]
    assert all(4 <= number <= 26 for number in rejected)  # 15 expected; three standard deviations to each side


def test_the_table_has_a_line_for_every_estimate_and_number_of_seeds() -> None:
    rates = measure_rates(simulate(REGIMES[0], experiments=4))
    lines = render({"first": rates, "second": rates}).splitlines()
    assert len(rates) == 12 and len(lines) == 2 + 2 * 12
    assert lines[2].startswith(f"| first | {PAIRED} | 2 | ")


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES, ids=lambda regime: regime.name)
def test_coverage_and_false_positives_are_within_two_points_from_three_seeds_on(regime: Regime) -> None:
    rates = [each for each in measure_rates(simulate(regime)) if each.seeds > 2]
    assert {f"{each.comparison}, {each.seeds}": each.coverage for each in rates if not 93 <= each.coverage <= 97} == {}
    tested = [each for each in rates if each.positives == each.positives]
    assert {f"{each.comparison}, {each.seeds}": each.positives for each in tested if not 3 <= each.positives <= 7} == {}
