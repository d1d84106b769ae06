"""Dropout whose masks come from a generator, so that an iteration gives the same losses whenever it is computed."""

from __future__ import annotations

import torch
from torch import Tensor


def make_device_generator(generator: torch.Generator, device: torch.device) -> torch.Generator:
    """Return a generator on a device that a generator on the CPU seeds: masks on a GPU need not be copied to it.

    Args:
        generator: CPU generator, such as `StepContext.generator` gives; one number is drawn from it.
        device: Device of the values to drop.
    """
    seed = int(torch.randint(2**62, (), generator=generator))
    return torch.Generator(device).manual_seed(seed)


def drop_values(values: Tensor, rate: float, generator: torch.Generator | None) -> Tensor:
    """Set each value to 0 with a probability, and scale the others so that their mean stays the same.

    Args:
        values: Tensor of any shape.
        rate: Probability, below 1.
        generator: Generator on the device of the values; None if nothing is dropped, as in evaluation.

    Returns:
        The values, in the same shape.
    """
    if generator is None or rate == 0:
        return values
    keep = torch.rand(values.shape, generator=generator, device=values.device) >= rate
    return values * keep / (1 - rate)
