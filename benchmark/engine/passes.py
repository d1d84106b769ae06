"""Forward and backward through one shard, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.engine import steps
from benchmark.engine.shards import Readings
from benchmark.method import Method, Moment
from benchmark.types import Batch, Losses


@dataclass(frozen=True)
class Pass:
    """Leaves the gradient of a shard's losses, and of nothing else, in the parameters.

    Attributes:
        method: what is trained.
        forward: a batch on the device to losses; the method itself, or what wraps it in a precision.
        clear: forgets the gradient that is there.
        backward: takes the gradient of a scalar.
        device: where the method runs.
    """

    method: Method
    forward: Callable[[Batch], Losses]
    clear: Callable[[], None]
    backward: Callable[[Tensor], None]
    device: torch.device

    def __call__(self, samples: Batch, moment: Moment) -> Readings:
        """The losses of a shard; raises as `steps.total` does."""
        steps.set_moment(self.method, moment)
        losses = self.forward(steps.to_device(samples, self.device))
        self.clear()
        self.backward(steps.total(losses, iteration=moment.iteration))
        return steps.readings(losses)
