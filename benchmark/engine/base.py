"""Base class of the engines: how a run is trained from start, or from its checkpoint, to the final checkpoint."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine import interrupts
from benchmark.engine.checkpoint import Checkpoint, digest_state
from benchmark.engine.distributed import ProcessGroup
from benchmark.engine.initialization import initialize_method
from benchmark.engine.optimizer import is_trained, make_optimizer
from benchmark.engine.partial_counts import PartialCounts, PartialFolder
from benchmark.evaluation.counts import Counts

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """Progress of training or evaluation after one iteration or image.

    Attributes:
        stage: "train", "evaluate" or "measure cost".
        done: Number of finished iterations or images.
        total: Number of all iterations or images.
        losses: Losses of the latest iteration by name; empty after training. An observer that reads a value waits for
            the device, so one that needs few values reads few.
        learning_rate: Learning rate of the latest iteration; 0 after training.
    """

    stage: str
    done: int
    total: int
    losses: Mapping[str, float]
    learning_rate: float = 0.0


Observer = Callable[[Progress], None]
"""Function that is called with the progress after every iteration and image."""


@dataclass(frozen=True)
class TrainResult:
    """Result of `Engine.fit`.

    Attributes:
        seconds: Wall time of training over all attempts, without work that was lost when a process was killed.
        iterations: Number of iterations that the method was trained for, over all attempts.
        resumed_from: Iteration of the checkpoint that this attempt began from; None if it began without one.
        continued_from: Arithmetic of earlier attempts, if it was another one than that of a later attempt.
    """

    seconds: float
    iterations: int
    resumed_from: int | None
    continued_from: tuple[str, ...] = ()


@dataclass(frozen=True)
class Training:
    """Everything that one call of `Engine.fit` works with.

    Attributes:
        method: Method that is trained, on its device.
        data: Loader of the training batches.
        optimizer: Optimizer of the trainable parameters; None if there is nothing to train.
        budget: Training budget.
        seed: Seed of the random draws.
        checkpoint: Checkpoint file of the run.
        observe: Function that is called after every iteration.
    """

    method: Method
    data: TrainLoader
    optimizer: torch.optim.Optimizer | None
    budget: Budget
    seed: int
    checkpoint: Checkpoint
    observe: Observer

    def make_step_context(self, iteration: int) -> StepContext:
        """Return the step context of an iteration."""
        return StepContext(self.seed, iteration, self.budget.iterations)


class Engine(ABC):
    """Trains and evaluates a method, in one process or as one of several processes that share a run.

    Args:
        group: Processes of the run.
        device: Device of the method.
        precision: Precision of the forward passes, "32-true" or "bf16-mixed".
        run: Digest of the run's spec, which identifies the checkpoints of the run.
        checkpoint_every: Iterations between two checkpoints; with 0, the elapsed time decides.
        micro_batches: Number of micro-batches per batch, as in the budget.
        arithmetic: What decides the last bits of results, for checkpoints; as `describe_arithmetic` words it.
    """

    def __init__(
        self,
        *,
        group: ProcessGroup,
        device: torch.device,
        precision: str,
        run: str,
        checkpoint_every: int,
        micro_batches: int,
        arithmetic: str = "",
    ) -> None:
        self.device = device
        self._group, self._precision, self._micro_batches = group, precision, micro_batches
        self._run, self._checkpoint_every, self._arithmetic = run, checkpoint_every, arithmetic

    @property
    def is_first(self) -> bool:
        """Whether this process writes the files of the run."""
        return self._group.rank.is_first

    def run_collectively(self, work: Callable[[], T]) -> T:
        """Run a function in every process of the run; if it fails in one process, every process raises."""
        return self._group.run_collectively(work)

    def fit(
        self, method: Method, data: TrainLoader, *, budget: Budget, seed: int, checkpoint: Path, observe: Observer
    ) -> TrainResult:
        """Train a method in place and save a final checkpoint.

        Training starts from the checkpoint if it exists. On a stop request, training finishes the iteration, saves, and
        raises KeyboardInterrupt.

        Args:
            method: Method to train; its vocabulary is the seen classes.
            data: Loader of the training batches.
            budget: Training budget, with the precision and the micro-batches that the engine was made for.
            seed: Seed of the random draws.
            checkpoint: Path of the checkpoint file.
            observe: Function that is called after every iteration.

        Raises:
            CheckpointError: The checkpoint is broken, belongs to another run, or does not fit the method.
            ValueError: The budget does not fit the engine, or the processes of the run start from different states.
            FloatingPointError: A loss or a gradient is not finite.
            RuntimeError: Another process of the run failed.
        """
        self._check_budget(budget)
        method.to(self.device)
        optimizer = make_optimizer(method, budget) if is_trained(method, budget) else None
        file = Checkpoint(checkpoint, run=self._run, every=self._checkpoint_every, arithmetic=self._arithmetic)
        training = Training(method, data, optimizer, budget, seed, file, observe)
        start = self._load_or_initialize(training)
        is_complete = start is not None and start >= budget.iterations
        with interrupts.defer_stop():
            if optimizer is not None:
                self._train(training, start=start or 0)
            method.step_context = training.make_step_context(max(0, budget.iterations - 1))
            seconds = file.earlier_seconds if is_complete else file.seconds
            if self.is_first and not is_complete:
                file.save(method, None, iteration=budget.iterations)
        iterations = budget.iterations if optimizer is not None else 0
        return TrainResult(seconds, iterations, start, file.continued_from if iterations else ())

    @abstractmethod
    def evaluate(
        self,
        method: Method,
        data: EvalLoader,
        *,
        classes: Sequence[str],
        seen: Sequence[bool],
        gamma: float,
        observe: Observer,
        partial: PartialFolder | None = None,
    ) -> Counts:
        """Count every labeled pixel once.

        With a folder for partial counts, the evaluation goes on where an earlier attempt was killed. On a stop request,
        it finishes the image, saves, and raises KeyboardInterrupt.

        Args:
            method: Trained method; its vocabulary is `classes`.
            data: Loader of the scored images.
            classes: Names of all classes, K in total.
            seen: Whether each class was seen in training.
            gamma: Offset that is subtracted from the scores of seen classes.
            observe: Function that is called after every image of this process.
            partial: Folder for the counts so far; None to keep none.
        """

    def _open_partial_counts(self, partial: PartialFolder | None, method: Method) -> PartialCounts:
        """Return the file of this process for the counts so far."""
        return PartialCounts() if partial is None else partial.open(method, self._group.rank)

    @abstractmethod
    def _load(self, training: Training) -> int | None:
        """Load the checkpoint and return its finished iterations; None if there is no checkpoint."""

    @abstractmethod
    def _train(self, training: Training, *, start: int) -> None:
        """Run the iterations from `start` on and save checkpoints on the way; the optimizer is not None."""

    def _check_budget(self, budget: Budget) -> None:
        requested, expected = (budget.precision, budget.micro_batches), (self._precision, self._micro_batches)
        if requested != expected:
            raise ValueError(
                f"precision and micro_batches of the budget are {requested}, but this engine was made for {expected}"
            )

    def _load_or_initialize(self, training: Training) -> int | None:
        """Load the checkpoint or initialize the method; return the finished iterations, None without a checkpoint."""

        def load_or_initialize() -> tuple[int | None, str]:
            start = self._load(training)
            if start is None:
                initialize_method(
                    training.method, training.data, budget=training.budget, seed=training.seed, device=self.device
                )
            return start, "" if self._group.rank.is_alone else digest_state(training.method)

        states = self._group.gather_results(load_or_initialize)
        if len(set(states)) > 1:
            described = ", ".join(f"iteration {start or 0} and parameters {digest[:8]}" for start, digest in states)
            raise ValueError(
                f"the processes of this run start from different states ({described}): "
                "run them on processors of one kind and with one store"
            )
        return states[0][0]
