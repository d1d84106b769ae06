"""Forward and backward through one micro_batch, the same for every engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch, Losses
from benchmark.engine import steps
from benchmark.engine.micro_batches import Readings


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

    def __call__(self, samples: Batch, step_context: StepContext) -> Readings:
        """The losses of a shard; raises as `steps.total` does."""
        steps.set_moment(self.method, step_context)
        losses = self.forward(steps.to_device(samples, self.device))
        self.clear()
        self.backward(steps.total(losses, iteration=step_context.iteration))
        return steps.readings(losses)
