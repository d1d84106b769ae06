"""The embedded engine: Lightning Fabric puts the method on its device and chooses the precision, the rest is ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment

from benchmark.data.loader import TestView, TrainView
from benchmark.engine import steps
from benchmark.engine.base import Observer, Progress
from benchmark.engine.checkpoint import Checkpoint
from benchmark.engine.optimizer import is_trained, make_optimizer
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts
from benchmark.method import Budget, Method, Moment


class FabricEngine:
    """Trains and evaluates on one device: the first CUDA device where there is one, else the CPU.

    Args:
        precision: of the forward passes, "32-true" or "bf16-mixed".
        accelerator: "auto", "cpu" or "cuda".
        run: digest of the spec, so that no checkpoint of another run is taken for this one's.
        checkpoint_every: iterations between two checkpoints; 0 lets the clock decide.
    """

    name = "fabric"

    def __init__(
        self, *, precision: str = "32-true", accelerator: str = "auto", run: str = "", checkpoint_every: int = 0
    ) -> None:
        if accelerator == "auto":
            accelerator = "cuda" if torch.cuda.is_available() else "cpu"
        # its own environment, as a job's SLURM variables would be taken for a request of several processes
        alone = LightningEnvironment()
        self._fabric = Fabric(accelerator=accelerator, devices=1, precision=cast(Any, precision), plugins=alone)
        self._precision, self._run, self._every = precision, run, checkpoint_every

    @property
    def device(self) -> torch.device:
        """Where the method runs."""
        return self._fabric.device

    def fit(
        self, method: Method, data: TrainView, *, budget: Budget, seed: int, checkpoint: Path, observe: Observer
    ) -> None:
        """Train in place, from the checkpoint where there is one, and leave a final checkpoint.

        Raises:
            ValueError: the checkpoint is broken or of another run, or the budget asks for another precision.
            FloatingPointError: a loss or gradient is not finite.
        """
        if budget.precision != self._precision:
            raise ValueError(f"budget.precision={budget.precision!r}, but this engine was made for {self._precision!r}")
        method.to(self.device)
        file = Checkpoint(checkpoint, run=self._run, every=self._every)
        optimizer = make_optimizer(method, budget) if is_trained(method, budget) else None
        begin = file.load(method, optimizer)
        if begin is None:
            steps.initialise(method, data, budget=budget, seed=seed, device=self.device)
        if optimizer is not None:
            self._train(method, data, optimizer, begin=begin or 0, budget=budget, seed=seed, file=file, observe=observe)
        method.moment = Moment(seed, max(0, budget.iterations - 1), budget.iterations)
        if begin is None or begin < budget.iterations:
            file.save(method, None, iteration=budget.iterations)

    def evaluate(
        self,
        method: Method,
        data: TestView,
        *,
        classes: Sequence[str],
        seen: Sequence[bool],
        gamma: float,
        observe: Observer,
    ) -> Counts:
        """Count every labelled pixel once."""
        module = self._fabric.setup_module(method)
        answers = steps.predictions(module, method, data, device=self.device)
        return steps.count(answers, Counter(classes, seen, gamma=gamma), observe=observe, total=len(data))

    def _train(
        self,
        method: Method,
        data: TrainView,
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
        method.train()
        for iteration, batch in enumerate(data.batches(begin, budget.iterations), start=begin):
            if iteration > begin and file.is_due(iteration):
                file.save(method, optimizer, iteration=iteration)
            rate = steps.begin_iteration(method, optimizer, budget=budget, seed=seed, iteration=iteration)
            losses = module(steps.to_device(batch, self.device))
            stepper.zero_grad()
            self._fabric.backward(steps.total(losses, iteration=iteration))
            steps.clip(trained, norm=budget.clip_norm, iteration=iteration)
            stepper.step()
            observe(Progress("train", iteration + 1, budget.iterations, steps.readings(losses), rate))
