"""Overhead of an engine per training step: an engine and a bare loop train the same method in alternating steps."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import cast

import numpy as np
import torch
from torch import nn

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch, Losses, Prediction
from benchmark.data.loader import TrainLoader
from benchmark.engine.base import Engine
from benchmark.engine.device import choose_device, move_to_device
from benchmark.engine.optimizer import make_optimizer
from benchmark.engine.training_step import set_learning_rate
from benchmark.profiling.device_clock import read_clock_s

PERIOD = 20
"""Steps per mean; Detectron2 writes events once in this number of steps, so that each mean includes all its work."""


@dataclass(frozen=True)
class Overhead:
    """Wall times of training steps in milliseconds, as means over periods of `PERIOD` steps.

    Attributes:
        bare_ms: Milliseconds per step of the bare loop, for each period.
        engine_ms: Milliseconds per step of the engine, for each period.
    """

    bare_ms: tuple[float, ...]
    engine_ms: tuple[float, ...]

    @property
    def added_ms(self) -> float:
        """Median over the periods of the milliseconds that the engine adds to a step."""
        return median(self._compute_differences_ms())

    @property
    def spread_ms(self) -> tuple[float, float]:
        """Quartiles over the periods of the milliseconds that the engine adds to a step."""
        low, high = np.percentile(self._compute_differences_ms(), (25, 75))
        return float(low), float(high)

    @property
    def added_share(self) -> float:
        """Median over the periods of the added time as a share of the bare loop's time."""
        return median(engine / bare - 1 for engine, bare in zip(self.engine_ms, self.bare_ms, strict=True))

    def _compute_differences_ms(self) -> list[float]:
        return [engine - bare for engine, bare in zip(self.engine_ms, self.bare_ms, strict=True)]


class EmptyMethod(Method):
    """Method with one parameter whose square is the loss, so that a step consists almost only of the engine's work."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.ones(()))

    def set_classes(self, names: Sequence[str]) -> None:
        """Do nothing, as the vocabulary has no effect."""

    def losses(self, batch: Batch) -> Losses:
        """Return the square of the parameter, a scalar, for any batch."""
        return {"square": self.number.square()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """Return scores (1, height, width) of zeros for each sample."""
        return [{"sem_seg": torch.zeros(1, sample["height"], sample["width"])} for sample in batch]


def measure_overhead(method: Method, batches: Sequence[Batch], *, engine: Engine, budget: Budget) -> Overhead:
    """Train copies of a method in an engine and in a bare loop, in alternating steps, and time every step.

    The times do not include data loading and the work that an engine does once per run. They include checkpoints that
    are due.

    Args:
        method: Method with its vocabulary set; it is not changed.
        batches: At least one batch; batches are repeated.
        engine: Engine made for the budget.
        budget: Budget of both trainings; the first `PERIOD` steps are warm-up.

    Raises:
        ValueError: The budget is too short or needs features that the bare loop does not have.
    """
    if budget.iterations < 2 * PERIOD + 1:
        raise ValueError(
            f"budget.iterations={budget.iterations}: expected at least {2 * PERIOD + 1}, to time one period"
        )
    if (budget.precision, budget.micro_batches) != ("32-true", 1):
        raise ValueError("the bare loop supports only budget.precision=32-true and budget.micro_batches=1")
    device = choose_device()  # that of engines
    bare = _make_bare_step(copy.deepcopy(method).to(device), budget)
    data = _AlternatingBatches([move_to_device(batch, device) for batch in batches], bare, device)
    with tempfile.TemporaryDirectory() as folder:
        engine.fit(
            copy.deepcopy(method),
            cast(TrainLoader, data),  # `fit` only uses the methods that it has
            budget=budget,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=lambda _: None,
        )
    return Overhead(_compute_period_means_ms(data.bare_s), _compute_period_means_ms(data.engine_s))


class _AlternatingBatches:
    """Training batches in memory that run a step of the bare loop before the engine gets each batch.

    Args:
        content: Batches to repeat.
        run_bare_step: Function that runs the step of an iteration in the bare loop.
        device: Device of both.

    Attributes:
        bare_s: Seconds of each step of the bare loop, without the last step.
        engine_s: Seconds of each step of the engine, without the last step, since no batch is requested after it.
    """

    def __init__(
        self, content: Sequence[Batch], run_bare_step: Callable[[Batch, int], None], device: torch.device
    ) -> None:
        self._content, self._run_bare_step, self._device = content, run_bare_step, device
        self.bare_s: list[float] = []
        self.engine_s: list[float] = []

    def batches(self, start: int, stop: int, *, slots: slice = slice(None)) -> Iterator[Batch]:
        """Yield the batches of iterations `start` to `stop` - 1."""
        for iteration in range(start, stop):
            batch = self._content[iteration % len(self._content)][slots]
            begin = read_clock_s(self._device)
            self._run_bare_step(batch, iteration)
            between = read_clock_s(self._device)
            yield batch
            end = read_clock_s(self._device)
            self.bare_s.append(between - begin)
            self.engine_s.append(end - between)


def _make_bare_step(method: Method, budget: Budget) -> Callable[[Batch, int], None]:
    """Return a function that trains a method for one step, with the least code that gives an engine's result."""
    optimizer = make_optimizer(method, budget)
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    method.train()

    def step(batch: Batch, iteration: int) -> None:
        set_learning_rate(optimizer, budget=budget, iteration=iteration)
        method.step_context = StepContext(0, iteration, budget.iterations)
        loss = torch.stack(list(method.losses(batch).values())).sum()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(trained, budget.clip_norm)
        optimizer.step()

    return step


def _compute_period_means_ms(seconds: Sequence[float]) -> tuple[float, ...]:
    """Return the mean milliseconds per step of each whole period after the first."""
    starts = range(PERIOD, len(seconds) - PERIOD + 1, PERIOD)
    return tuple(fmean(seconds[start : start + PERIOD]) * 1000 for start in starts)
