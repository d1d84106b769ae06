"""Parameter groups, and the learning rate over time."""

from __future__ import annotations

import pytest
from torch import nn

from benchmark.core.budget import Budget
from benchmark.engine.optimizer import compute_learning_rate, is_trained, make_optimizer

BUDGET = Budget(iterations=100, learning_rate=0.5, weight_decay=0.1, warmup=0.1)


def test_matrices_have_weight_decay_and_vectors_do_not() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    matrices, vectors = make_optimizer(network, BUDGET).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert [tuple(parameter.shape) for parameter in matrices["params"]] == [(4, 3, 1, 1)]
    assert [tuple(parameter.shape) for parameter in vectors["params"]] == [(4,), (4,), (4,)]


def test_frozen_parameters_are_not_optimized() -> None:
    network = nn.Linear(2, 3)
    network.weight.requires_grad_(False)
    (group,) = make_optimizer(network, BUDGET).param_groups
    assert [tuple(parameter.shape) for parameter in group["params"]] == [(3,)]


def test_the_rate_rises_linearly_then_falls_as_a_cosine() -> None:
    assert compute_learning_rate(BUDGET, 0) == pytest.approx(0.05)
    assert compute_learning_rate(BUDGET, 9) == pytest.approx(0.5)
    assert compute_learning_rate(BUDGET, 10) == pytest.approx(0.5)
    assert compute_learning_rate(BUDGET, 55) == pytest.approx(0.25)
    assert 0 < compute_learning_rate(BUDGET, 99) < 0.001
    assert compute_learning_rate(BUDGET, 100) == pytest.approx(0)


def test_a_single_iteration_has_the_full_rate() -> None:
    assert compute_learning_rate(Budget(iterations=1, learning_rate=0.5), 0) == 0.5


@pytest.mark.parametrize(("iterations", "frozen", "expected"), [(1, False, True), (0, False, False), (1, True, False)])
def test_training_needs_parameters_and_a_budget(iterations: int, frozen: bool, expected: bool) -> None:
    network = nn.Linear(2, 3).requires_grad_(not frozen)
    assert is_trained(network, Budget(iterations=iterations)) is expected
