"""Detectron2's training loop with our gradient."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch
from detectron2.engine import SimpleTrainer

from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch
from benchmark.engine.training_step import GradientAccumulator, LossValues


class MicroBatchTrainer(SimpleTrainer):  # type: ignore[misc]  # it has no types
    """A `SimpleTrainer` that accumulates the gradient over micro-batches and writes all losses to the event storage.

    Args:
        method: Method that is trained.
        batches: Batches of the remaining iterations.
        optimizer: Optimizer of the method; hooks set its learning rate.
        gradient: Accumulator that leaves the gradient of an iteration in the parameters.
        make_step_context: Function from an iteration to its step context.

    Attributes:
        losses: Losses of the latest step.
    """

    def __init__(
        self,
        method: Method,
        batches: Iterable[Batch],
        optimizer: torch.optim.Optimizer,
        *,
        gradient: GradientAccumulator,
        make_step_context: Callable[[int], StepContext],
    ) -> None:
        super().__init__(method, batches, optimizer)
        self._gradient, self._make_step_context = gradient, make_step_context
        self.losses: LossValues = {}

    def run_step(self) -> None:
        """Run one iteration in the order of the base class: gradient, `after_backward` hooks, storage, optimizer."""
        begin_s = time.perf_counter()
        batch = next(self._data_loader_iter)
        data_time_s = time.perf_counter() - begin_s
        self.losses = self._gradient.accumulate(batch, self._make_step_context(self.iter))
        self.after_backward()
        scalars = {"data_time": data_time_s, "total_loss": sum(self.losses.values())} | self.losses
        self.storage.put_scalars(**scalars)
        self.optimizer.step()
