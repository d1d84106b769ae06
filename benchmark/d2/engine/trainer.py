"""Detectron2's training loop with our gradient."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

import torch
from detectron2.engine import SimpleTrainer

from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch
from benchmark.engine.step_losses import LossReader, StepLosses
from benchmark.engine.training_step import GradientAccumulator


class MicroBatchTrainer(SimpleTrainer):  # type: ignore[misc]  # it has no types
    """A `SimpleTrainer` that accumulates the gradient over micro-batches and leaves all losses on the device.

    Args:
        method: Method that is trained.
        batches: Batches of the remaining iterations.
        optimizer: Optimizer of the method; hooks set its learning rate.
        gradient: Accumulator that leaves the gradient of an iteration in the parameters.
        make_step_context: Function from an iteration to its step context.
        reader: Reader of the losses; hooks add the norms and write the values.

    Attributes:
        losses: Losses of the latest step; None before the first.
    """

    def __init__(
        self,
        method: Method,
        batches: Iterable[Batch],
        optimizer: torch.optim.Optimizer,
        *,
        gradient: GradientAccumulator,
        make_step_context: Callable[[int], StepContext],
        reader: LossReader,
    ) -> None:
        super().__init__(method, batches, optimizer)
        self._gradient, self._make_step_context, self._reader = gradient, make_step_context, reader
        self.losses: StepLosses | None = None

    def run_step(self) -> None:
        """Run one iteration in the order of the base class: gradient, `after_backward` hooks, storage, optimizer."""
        begin_s = time.perf_counter()
        batch = next(self._data_loader_iter)
        data_time_s = time.perf_counter() - begin_s
        micro_batches = self._gradient.accumulate(batch, self._make_step_context(self.iter))
        self.losses = self._reader.add(self.iter, micro_batches)
        self.after_backward()
        self.storage.put_scalar("data_time", data_time_s)
        self.optimizer.step()
