"""Dropout with masks from a generator."""

from __future__ import annotations

import torch

from benchmark.core.method import StepContext
from methods.blocks.dropout import drop_values, make_device_generator


def make_generator(iteration: int = 0) -> torch.Generator:
    return make_device_generator(StepContext(iteration=iteration).generator("dropout"), torch.device("cpu"))


def test_values_are_dropped_or_scaled_so_that_their_mean_stays_the_same() -> None:
    dropped = drop_values(torch.ones(20_000), 0.2, make_generator())
    assert set(dropped.tolist()) == {0.0, 1.25}
    assert abs(dropped.mean().item() - 1) < 0.02


def test_nothing_is_dropped_without_a_generator_or_a_rate() -> None:
    values = torch.ones(1000)
    assert torch.equal(drop_values(values, 0.5, None), values)
    assert torch.equal(drop_values(values, 0, make_generator()), values)


def test_masks_depend_on_the_iteration_alone() -> None:
    first, again, other = (drop_values(torch.ones(100), 0.5, make_generator(number)) for number in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
