"""What an engine adds to a training step: an engine and a bare loop train the same method, a step each in turn."""

from __future__ import annotations

import copy
import tempfile
import time
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
from benchmark.engine.device import move_to_device
from benchmark.engine.optimizer import make_optimizer
from benchmark.engine.training_step import set_learning_rate

PERIOD = 20
"""Detectron2 writes its events every so many steps, so that a mean over as many has all that it does."""


@dataclass(frozen=True)
class Overhead:
    """Wall time of training steps, in milliseconds: means over `PERIOD` steps, both loops in the same minute.

    Attributes:
        bare_ms: of the bare loop.
        engine_ms: of the engine.
    """

    bare_ms: tuple[float, ...]
    engine_ms: tuple[float, ...]

    @property
    def added_ms(self) -> float:
        """What a step takes longer in the engine, median over the periods."""
        return median(self._differences_ms())

    @property
    def spread_ms(self) -> tuple[float, float]:
        """The middle half of the periods: from where to where a step takes longer."""
        low, high = np.percentile(self._differences_ms(), (25, 75))
        return float(low), float(high)

    @property
    def added_share(self) -> float:
        """What a step takes longer as a share of the bare loop's, median over the periods."""
        return median(engine / bare - 1 for engine, bare in zip(self.engine_ms, self.bare_ms, strict=True))

    def _differences_ms(self) -> list[float]:
        return [engine - bare for engine, bare in zip(self.engine_ms, self.bare_ms, strict=True)]


class Empty(Method):
    """One number whose square is the loss: a step that is hardly more than what an engine does around it."""

    def __init__(self) -> None:
        super().__init__()
        self.number = nn.Parameter(torch.ones(()))

    def set_classes(self, names: Sequence[str]) -> None:
        """It has none."""

    def losses(self, batch: Batch) -> Losses:
        """The square, whatever the batch."""
        return {"square": self.number.square()}

    def predict(self, batch: Batch) -> list[Prediction]:
        """One class everywhere."""
        return [{"sem_seg": torch.zeros(1, sample["height"], sample["width"])} for sample in batch]


def measure(method: Method, batches: Sequence[Batch], *, engine: Engine, budget: Budget) -> Overhead:
    """Train a method in an engine and another copy of it in a bare loop, a step each in turn, and time every step.

    Reading data is no part of it, nor what an engine does once a run. A checkpoint that is due by the clock is.

    Args:
        method: what is trained, its vocabulary set; stays as it is.
        batches: at least one; given over and over.
        engine: made for the budget.
        budget: of both trainings; the first `PERIOD` steps warm up.

    Raises:
        ValueError: the budget is too short, or asks for what the bare loop does not do.
    """
    if budget.iterations < 2 * PERIOD + 1:
        raise ValueError(f"budget.iterations={budget.iterations}: expected at least {2 * PERIOD + 1}, to time a period")
    if (budget.precision, budget.micro_batches) != ("32-true", 1):
        raise ValueError("the bare loop knows only budget.precision=32-true and budget.micro_batches=1")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")  # the one that engines take
    bare = _bare_step(copy.deepcopy(method).to(device), budget)
    data = _InTurn([move_to_device(batch, device) for batch in batches], bare)
    with tempfile.TemporaryDirectory() as folder:
        engine.fit(
            copy.deepcopy(method),
            cast(TrainLoader, data),  # it has what `fit` asks of one
            budget=budget,
            seed=0,
            checkpoint=Path(folder) / "checkpoint.pt",
            observe=lambda _: None,
        )
    return Overhead(_period_means_ms(data.bare_s), _period_means_ms(data.engine_s))


class _InTurn:
    """Training batches from memory. Before each is given out, the bare loop does its step on it.

    Args:
        content: the batches.
        bare: does the step of an iteration.

    Attributes:
        bare_s, engine_s: seconds of each step, up to the last but one: nobody asks for a batch after the last.
    """

    def __init__(self, content: Sequence[Batch], bare: Callable[[Batch, int], None]) -> None:
        self._content, self._bare = content, bare
        self.bare_s: list[float] = []
        self.engine_s: list[float] = []

    def batches(self, start: int, stop: int, *, slots: slice = slice(None)) -> Iterator[Batch]:
        """Those of iterations `start` to `stop` - 1."""
        for iteration in range(start, stop):
            batch = self._content[iteration % len(self._content)][slots]
            begun = _now_s()
            self._bare(batch, iteration)
            between = _now_s()
            yield batch
            ended = _now_s()
            self.bare_s.append(between - begun)
            self.engine_s.append(ended - between)


def _bare_step(method: Method, budget: Budget) -> Callable[[Batch, int], None]:
    """The least that trains a method as an engine does."""
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


def _period_means_ms(seconds: Sequence[float]) -> tuple[float, ...]:
    """Of whole periods after the first."""
    starts = range(PERIOD, len(seconds) - PERIOD + 1, PERIOD)
    return tuple(fmean(seconds[start : start + PERIOD]) * 1000 for start in starts)


def _now_s() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
