"""The engine on Detectron2: its trainer, hooks, event storage, checkpointer and evaluation loop around our `Method`.

Data order, optimizer groups, learning rate, random draws and counting are those of `benchmark.engine.fabric`, so that
on the CPU in float32 both engines give the same losses and the same counts, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from detectron2.engine.hooks import IterationTimer, PeriodicWriter
from detectron2.evaluation import DatasetEvaluator, inference_on_dataset
from lightning_utilities.core.apply_func import apply_to_collection

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch, Prediction, Sample
from benchmark.d2.engine.checkpointer import RunCheckpointer
from benchmark.d2.engine.events import open_writers
from benchmark.d2.engine.hooks import Clip, Rate, Report, Save
from benchmark.d2.engine.trainer import Trainer
from benchmark.data.loader import EvalLoader, TrainLoader
from benchmark.engine import interrupts, steps
from benchmark.engine.base import Observer, Progress
from benchmark.engine.checkpoint import Checkpoint
from benchmark.engine.micro_batches import Gradient
from benchmark.engine.optimizer import is_trained, make_optimizer
from benchmark.engine.passes import Pass
from benchmark.engine.place import Place, find_place
from benchmark.engine.team import ProcessGroup
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts

T = TypeVar("T")


class Detectron2Engine:
    """Trains and evaluates in one process: on the first CUDA device where there is one, else on the CPU.

    Args:
        precision: of the forward passes, "32-true" or "bf16-mixed".
        run: digest of the spec, so that no checkpoint of another run is taken for this one's.
        checkpoint_every: iterations between two checkpoints; 0 lets the clock decide.
        micro_batches: of every batch, as in the budget; this process does them one after the other.

    Raises:
        ValueError: the process is one of several that share a run.
    """

    name = "detectron2"
    is_first = True

    def __init__(
        self, *, precision: str = "32-true", run: str = "", checkpoint_every: int = 0, micro_batches: int = 1
    ) -> None:
        if not find_place(micro_batches, os.environ).is_alone:
            raise ValueError(
                f"engine 'detectron2' does all {micro_batches} micro_batches in one process: start 1 task, or use engine 'fabric'"
            )
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._precision, self._shards = precision, micro_batches
        self._run, self._every = run, checkpoint_every

    def agree(self, work: Callable[[], T]) -> T:
        """Do something in the one process there is."""
        return work()

    def fit(
        self, method: Method, data: TrainLoader, *, budget: Budget, seed: int, checkpoint: Path, observe: Observer
    ) -> None:
        """Train in place, from the checkpoint where there is one, and leave a final checkpoint.

        Asked to stop, it ends the iteration, saves and raises KeyboardInterrupt. Beside the checkpoint lie
        metrics.json and TensorBoard's events.

        Raises:
            ValueError: the checkpoint is broken or of another run, or the budget asks for another precision or other
                micro_batches.
            FloatingPointError: a loss or gradient is not finite.
        """
        steps.check_made_for(budget, precision=self._precision, micro_batches=self._shards)
        method.to(self.device)
        optimizer = make_optimizer(method, budget) if is_trained(method, budget) else None
        checkpointer = RunCheckpointer(method, Checkpoint(checkpoint, run=self._run, every=self._every), optimizer)
        begin = checkpointer.resume_or_load("").get("iteration")
        if begin is None:
            steps.initialize(method, data, budget=budget, seed=seed, device=self.device)
        with interrupts.deferring():
            if optimizer is not None:
                self._train(
                    method,
                    data,
                    optimizer,
                    begin=begin or 0,
                    budget=budget,
                    seed=seed,
                    keep=checkpointer,
                    observe=observe,
                )
            method.step_context = StepContext(seed, max(0, budget.iterations - 1), budget.iterations)
            if begin is None or begin < budget.iterations:
                checkpointer.file.save(method, None, iteration=budget.iterations)

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
        """Count every labelled pixel once, in Detectron2's evaluation loop."""
        method.to(self.device).eval()
        forward = self._forward(method)

        def model(inputs: Batch) -> list[Prediction]:
            return [steps.answer(forward, method, _without_truth(sample), device=self.device) for sample in inputs]

        evaluator = _Evaluator(Counter(classes, seen, gamma=gamma), observe=observe, total=len(data))
        counts: Counts = inference_on_dataset(model, _Loader(data), evaluator)["counts"]
        return counts

    def _train(
        self,
        method: Method,
        data: TrainLoader,
        optimizer: torch.optim.Optimizer,
        *,
        begin: int,
        budget: Budget,
        seed: int,
        keep: RunCheckpointer,
        observe: Observer,
    ) -> None:
        differentiate = Pass(
            method, self._forward(method), clear=optimizer.zero_grad, backward=torch.Tensor.backward, device=self.device
        )
        gradient = Gradient(method, differentiate, micro_batches=self._shards, team=ProcessGroup(Place()))
        trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
        batches, first = data.batches(begin, budget.iterations), StepContext(seed, 0, budget.iterations)
        trainer = Trainer(method, batches, optimizer, gradient=gradient, first=first)
        rate = Rate(budget)
        writers = open_writers(keep.file.path.parent, begin=begin, iterations=budget.iterations)
        trainer.register_hooks(
            [
                IterationTimer(),
                rate,
                Clip(trained, norm=budget.clip_norm),
                PeriodicWriter(writers),
                Report(observe, rate),
                Save(keep),
            ]
        )
        trainer.train(begin, budget.iterations)

    def _forward(self, method: Method) -> Callable[[Batch], Any]:
        """The method in its precision; what goes in and out is cast as Fabric casts it."""
        if self._precision == "32-true":
            return method

        def forward(batch: Batch) -> Any:
            with torch.autocast(self.device.type, dtype=torch.bfloat16):
                answers = method(_cast(batch, torch.bfloat16))
            return _cast(answers, torch.float32)

        return forward


class _Loader:
    """The scored images as inputs of Detectron2's evaluation loop: lists of one sample, with its truth."""

    def __init__(self, data: EvalLoader) -> None:
        self._data = data

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Batch]:
        for sample, truth in self._data:
            yield [sample | {"sem_seg": truth}]


class _Evaluator(DatasetEvaluator):  # type: ignore[misc]  # it has no types
    """Our counter in Detectron2's evaluation loop."""

    def __init__(self, counter: Counter, *, observe: Observer, total: int) -> None:
        self._counter, self._observe, self._total, self._done = counter, observe, total, 0

    def process(self, inputs: Batch, outputs: list[Prediction]) -> None:
        for sample, prediction in zip(inputs, outputs, strict=True):
            self._counter.update(prediction, sample["sem_seg"], image_id=sample["image_id"])
            self._done += 1
            self._observe(Progress("evaluate", self._done, self._total, {}))

    def evaluate(self) -> dict[str, Counts]:
        return {"counts": self._counter.counts()}


def _without_truth(sample: Sample) -> Sample:
    """As a method sees it."""
    shown = sample.copy()
    del shown["sem_seg"]
    return shown


def _cast(values: Any, dtype: torch.dtype) -> Any:
    """The same with its floating tensors in a dtype."""
    return apply_to_collection(
        values, dtype=torch.Tensor, function=lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor
    )
