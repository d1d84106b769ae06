"""Detectron2's training loop with our gradient."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace

import torch
from detectron2.engine import SimpleTrainer

from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch
from benchmark.engine.micro_batches import Gradient, Readings


class Trainer(SimpleTrainer):  # type: ignore[misc]  # it has no types
    """A `SimpleTrainer` whose step takes the gradient shard by micro_batch, at its step_context; all losses go into its storage.

    Args:
        method: what is trained.
        batches: of the iterations that are to be done.
        optimizer: of its parameters; hooks set the rate.
        gradient: leaves an iteration's gradient in the parameters.
        first: step_context of iteration 0.

    Attributes:
        losses: of the latest step.
    """

    def __init__(
        self,
        method: Method,
        batches: Iterable[Batch],
        optimizer: torch.optim.Optimizer,
        *,
        gradient: Gradient,
        first: StepContext,
    ) -> None:
        super().__init__(method, batches, optimizer)
        self._gradient, self._first = gradient, first
        self.losses: Readings = {}

    def run_step(self) -> None:
        """One iteration, in the order of its parent: gradient, hooks after it, storage, optimizer."""
        begun = time.perf_counter()
        batch = next(self._data_loader_iter)
        waited_s = time.perf_counter() - begun
        self.losses = self._gradient.take(batch, replace(self._first, iteration=self.iter))
        self.after_backward()
        self.storage.put_scalars(**{"data_time": waited_s, "total_loss": sum(self.losses.values())} | self.losses)
        self.optimizer.step()
