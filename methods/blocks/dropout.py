"""Dropout whose masks come from a generator, so that an iteration gives the same losses whenever it is computed."""

from __future__ import annotations

import torch
from torch import Tensor


class Dropout:
    """Dropout of one pass of one part; without a generator or a rate, values pass unchanged.

    Masks are drawn on the device of the values, by a generator that one number of the given generator seeds: drawing
    tens of millions of numbers on the CPU would take as long as the forward pass.

    Args:
        rate: Probability that a value is dropped, in [0, 1).
        generator: CPU generator of the step, such as `StepContext.generator` gives; None outside training.
        device: Device of the values.
    """

    def __init__(self, rate: float, generator: torch.Generator | None, *, device: torch.device) -> None:
        self._rate = rate
        self._generator: torch.Generator | None = None
        if generator is not None and rate > 0:
            seed = int(torch.randint(2**62, (), generator=generator))
            self._generator = torch.Generator(device).manual_seed(seed)

    @property
    def is_active(self) -> bool:
        """Whether anything is dropped."""
        return self._generator is not None

    def __call__(self, values: Tensor) -> Tensor:
        """Set values to 0 at random, and scale the others so that their mean stays the same; keeps the shape."""
        if self._generator is None:
            return values
        keep = torch.empty(values.shape, dtype=torch.bool, device=values.device)
        return values * keep.bernoulli_(1 - self._rate, generator=self._generator) / (1 - self._rate)
