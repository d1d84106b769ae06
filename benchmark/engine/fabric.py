"""The embedded engine: Lightning Fabric puts the method on its device and chooses the precision, the rest is ours."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine import interrupts, steps
from benchmark.engine.base import Observer, Progress
from benchmark.engine.checkpoint import Checkpoint, state_digest
from benchmark.engine.fabric_setup import open_fabric
from benchmark.engine.micro_batches import Gradient, slots_of
from benchmark.engine.optimizer import is_trained, make_optimizer
from benchmark.engine.passes import Pass
from benchmark.engine.place import find_place
from benchmark.engine.team import ProcessGroup
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts, merge

T = TypeVar("T")


class FabricEngine:
    """Trains and evaluates on one device: the first CUDA device where there is one, else the CPU.

    A run of several micro_batches may have a process for each, the tasks of a SLURM job: see `benchmark.engine.place`.

    Args:
        precision: of the forward passes, "32-true" or "bf16-mixed".
        accelerator: "auto", "cpu" or "cuda".
        run: digest of the spec, so that no checkpoint of another run is taken for this one's.
        checkpoint_every: iterations between two checkpoints; 0 lets the clock decide.
        micro_batches: of every batch, as in the budget.

    Raises:
        ValueError: the job's tasks do not fit the micro_batches.
    """

    name = "fabric"

    def __init__(
        self,
        *,
        precision: str = "32-true",
        accelerator: str = "auto",
        run: str = "",
        checkpoint_every: int = 0,
        micro_batches: int = 1,
    ) -> None:
        self._team = ProcessGroup(find_place(micro_batches, os.environ))
        self._fabric = open_fabric(self._team.place, accelerator=accelerator, precision=precision)
        self._precision, self._shards = precision, micro_batches
        self._run, self._every = run, checkpoint_every

    @property
    def device(self) -> torch.device:
        """Where the method runs."""
        return self._fabric.device

    @property
    def is_first(self) -> bool:
        """Whether this process is the one that writes."""
        return self._team.place.is_first

    def agree(self, work: Callable[[], T]) -> T:
        """Do something in every process of the run; where it fails in one, it fails in all."""
        return self._team.agree(work)

    def fit(
        self, method: Method, data: TrainLoader, *, budget: Budget, seed: int, checkpoint: Path, observe: Observer
    ) -> None:
        """Train in place, from the checkpoint where there is one, and leave a final checkpoint.

        Asked to stop, it ends the iteration, saves and raises KeyboardInterrupt.

        Raises:
            ValueError: the checkpoint is broken or of another run, the budget asks for another precision or other
                micro_batches, or processes do not begin alike.
            FloatingPointError: a loss or gradient is not finite.
            RuntimeError: another process of the run failed.
        """
        steps.check_made_for(budget, precision=self._precision, micro_batches=self._shards)
        method.to(self.device)
        file = Checkpoint(checkpoint, run=self._run, every=self._every)
        optimizer = make_optimizer(method, budget) if is_trained(method, budget) else None
        begin = self._begin(method, data, optimizer, budget=budget, seed=seed, file=file)
        with interrupts.deferring():
            if optimizer is not None:
                self._train(
                    method, data, optimizer, begin=begin or 0, budget=budget, seed=seed, file=file, observe=observe
                )
            method.step_context = StepContext(seed, max(0, budget.iterations - 1), budget.iterations)
            if self.is_first and (begin is None or begin < budget.iterations):
                file.save(method, None, iteration=budget.iterations)

    def evaluate(
        self,
        method: Method,
        data: EvalLoader,
        *,
        classes: Sequence[str],
        seen: Sequence[bool],
        gamma: float,
        observe: Observer,
    ) -> Counts:
        """Count every labelled pixel once. Processes share the images; progress is told of this one's."""
        module = self._fabric.setup_module(method)
        rank, size = self._team.place.rank, self._team.place.size

        def own() -> Counts:
            answers = steps.predictions(module, method, data.images(first=rank, step=size), device=self.device)
            total = len(range(rank, len(data), size))
            return steps.count(answers, Counter(classes, seen, gamma=gamma), observe=observe, total=total)

        return merge(self._team.together(own))

    def _begin(
        self,
        method: Method,
        data: TrainLoader,
        optimizer: torch.optim.Optimizer | None,
        *,
        budget: Budget,
        seed: int,
        file: Checkpoint,
    ) -> int | None:
        """Load the checkpoint, or initialize the method; the iterations done, None where there is no checkpoint."""

        def begun() -> tuple[int | None, str]:
            done = file.load(method, optimizer)
            if done is None:
                steps.initialize(method, data, budget=budget, seed=seed, device=self.device)
            return done, "" if self._team.place.is_alone else state_digest(method)

        begins = self._team.together(begun)
        if len(set(begins)) > 1:
            told = ", ".join(f"iteration {done or 0} and parameters {digest[:8]}" for done, digest in begins)
            raise ValueError(
                f"the processes of this run begin differently ({told}): give them processors of one kind and one store"
            )
        return begins[0][0]

    def _train(
        self,
        method: Method,
        data: TrainLoader,
        optimizer: torch.optim.Optimizer,
        *,
        begin: int,
        budget: Budget,
        seed: int,
        file: Checkpoint,
        observe: Observer,
    ) -> None:
        module, stepper = self._fabric.setup(method, optimizer)
        trained = [parameter for parameter in method.parameters() if parameter.requires_grad]

        differentiate = Pass(
            method, module, clear=stepper.zero_grad, backward=self._fabric.backward, device=self.device
        )
        gradient = Gradient(method, differentiate, micro_batches=self._shards, team=self._team)
        slots = slots_of(self._team.place, batch_size=budget.batch_size)
        method.train()
        for iteration, batch in enumerate(data.batches(begin, budget.iterations, slots=slots), start=begin):
            if iteration > begin and self.is_first and file.is_due(iteration):
                file.save(method, optimizer, iteration=iteration)
            rate = steps.set_rate(optimizer, budget=budget, iteration=iteration)
            losses = gradient.take(batch, StepContext(seed, iteration, budget.iterations))
            steps.clip(trained, norm=budget.clip_norm, iteration=iteration)
            stepper.step()
            observe(Progress("train", iteration + 1, budget.iterations, losses, rate))
            if self._team.any(interrupts.is_asked()):
                if self.is_first:
                    file.save(method, optimizer, iteration=iteration + 1)
                self._team.wait()  # as a job may end with the first of its tasks that ends, saved or not
                raise KeyboardInterrupt
