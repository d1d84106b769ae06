"""Dropout whose random draws come from a given generator."""

from __future__ import annotations

import torch
from torch import Tensor


class Dropout:
    """Dropout of one training step; without a generator, values pass unchanged.

    Masks for another device are drawn there, with a generator that one number of the given generator seeds: drawing
    tens of millions of numbers on the CPU would take as long as the forward pass.

    Args:
        rate: Probability that a value is dropped, in [0, 1).
        generator: CPU generator of the step; None outside training.
    """

    def __init__(self, rate: float, generator: torch.Generator | None) -> None:
        self._rate, self._generator = rate, generator
        self._by_device: dict[torch.device, torch.Generator] = {}

    @property
    def is_active(self) -> bool:
        """Whether anything is dropped."""
        return self._generator is not None and self._rate > 0

    def __call__(self, values: Tensor) -> Tensor:
        """Drop values and scale up the rest; the shape stays the same."""
        if self._generator is None or not self.is_active:
            return values
        keep = torch.empty_like(values).bernoulli_(1 - self._rate, generator=self._get_generator(values.device))
        return values * keep / (1 - self._rate)

    def _get_generator(self, device: torch.device) -> torch.Generator | None:
        if device.type == "cpu":
            return self._generator
        if device not in self._by_device:
            seed = int(torch.randint(2**62, (), generator=self._generator))
            self._by_device[device] = torch.Generator(device=device).manual_seed(seed)
        return self._by_device[device]
