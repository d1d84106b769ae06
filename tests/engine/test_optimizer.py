"""Groups, and the learning rate over time."""

from __future__ import annotations

import pytest
from torch import nn

from benchmark.core.budget import Budget
from benchmark.engine.optimizer import is_trained, learning_rate, make_optimizer

BUDGET = Budget(iterations=100, learning_rate=0.5, weight_decay=0.1, warmup=0.1)


def test_weights_decay_and_vectors_do_not() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    decayed, kept = make_optimizer(network, BUDGET).param_groups
    assert (decayed["weight_decay"], kept["weight_decay"]) == (0.1, 0.0)
    assert [tuple(one.shape) for one in decayed["params"]] == [(4, 3, 1, 1)]
    assert [tuple(one.shape) for one in kept["params"]] == [(4,), (4,), (4,)]


def test_frozen_parameters_are_not_optimised() -> None:
    network = nn.Linear(2, 3)
    network.weight.requires_grad_(False)
    (group,) = make_optimizer(network, BUDGET).param_groups
    assert [tuple(one.shape) for one in group["params"]] == [(3,)]


def test_the_rate_rises_linearly_then_falls_as_a_cosine() -> None:
    assert learning_rate(BUDGET, 0) == pytest.approx(0.05)
    assert learning_rate(BUDGET, 9) == pytest.approx(0.5)
    assert learning_rate(BUDGET, 10) == pytest.approx(0.5)
    assert learning_rate(BUDGET, 55) == pytest.approx(0.25)
    assert 0 < learning_rate(BUDGET, 99) < 0.001
    assert learning_rate(BUDGET, 100) == pytest.approx(0)


def test_one_iteration_has_the_full_rate() -> None:
    assert learning_rate(Budget(iterations=1, learning_rate=0.5), 0) == 0.5


@pytest.mark.parametrize(("iterations", "frozen", "expected"), [(1, False, True), (0, False, False), (1, True, False)])
def test_training_needs_parameters_and_a_budget(iterations: int, frozen: bool, expected: bool) -> None:
    network = nn.Linear(2, 3).requires_grad_(not frozen)
    assert is_trained(network, Budget(iterations=iterations)) is expected
