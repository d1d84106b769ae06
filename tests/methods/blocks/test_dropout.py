"""Dropout with masks from a generator."""

from __future__ import annotations

import pytest
import torch

from benchmark.core.method import StepContext
from methods.blocks import Dropout

CPU = torch.device("cpu")


def make_dropout(rate: float, iteration: int = 0) -> Dropout:
    return Dropout(rate, StepContext(iteration=iteration).generator("dropout"), device=CPU)


def test_values_are_dropped_or_scaled_so_that_their_mean_stays_the_same() -> None:
    dropped = make_dropout(0.2)(torch.ones(100_000))
    assert set(dropped.unique().tolist()) == {0.0, 1.25}
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)


def test_nothing_is_dropped_without_a_generator_or_a_rate() -> None:
    values = torch.ones(1000)
    for dropout in (Dropout(0.5, None, device=CPU), make_dropout(0)):
        assert dropout(values) is values
        assert not dropout.is_active
    assert make_dropout(0.5).is_active


def test_masks_depend_on_the_iteration_alone() -> None:
    first, again, other = (make_dropout(0.5, number)(torch.ones(100)) for number in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_masks_of_one_pass_differ() -> None:
    dropout = make_dropout(0.5)
    assert not torch.equal(dropout(torch.ones(100)), dropout(torch.ones(100)))


def test_masks_do_not_depend_on_the_memory_layout() -> None:
    values = torch.ones(20, 30)
    assert torch.equal(make_dropout(0.5)(values), make_dropout(0.5)(values.T.contiguous().T))


def test_parts_with_one_generator_have_different_masks() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = (Dropout(0.5, generator, device=CPU)(torch.ones(100)) for _ in range(2))
    assert not torch.equal(first, second)


def test_a_type_of_lower_precision_is_kept() -> None:
    assert make_dropout(0.5)(torch.ones(10, dtype=torch.bfloat16)).dtype is torch.bfloat16
