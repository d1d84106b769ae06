"""The engine on Detectron2: its trainer, hooks, event storage, checkpointer and evaluation loop around a `Method`.

Order of images, optimizer groups, learning rate, random draws and counting are those of `benchmark.engine.fabric`.
On one CPU in float32, both engines give the same losses and the same counts, bit for bit.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial as bind

import torch
from detectron2.engine import HookBase
from detectron2.engine.hooks import IterationTimer, PeriodicWriter
from detectron2.evaluation import DatasetEvaluator, inference_on_dataset

from benchmark.core.method import Method
from benchmark.core.types import Batch, Prediction, Sample
from benchmark.d2.engine.checkpointer import RunCheckpointer
from benchmark.d2.engine.events import open_writers
from benchmark.d2.engine.hooks import CheckpointHook, ClippingHook, LearningRateHook, LossHook, ProgressHook
from benchmark.d2.engine.trainer import MicroBatchTrainer
from benchmark.data.loader import EvalLoader
from benchmark.engine.base import Engine, Observer, Progress, Training
from benchmark.engine.device import choose_device
from benchmark.engine.distributed import ProcessGroup, Rank, find_rank
from benchmark.engine.evaluation_loop import count_image, predict_image
from benchmark.engine.partial_counts import PartialCounts, PartialFolder
from benchmark.engine.precision import wrap_precision
from benchmark.engine.step_losses import STEPS_PER_READ, LossReader
from benchmark.engine.training_step import GradientAccumulator, forward_backward
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts


class Detectron2Engine(Engine):
    """Trains and evaluates in one process on the first CUDA device, or on the CPU.

    The folder of the checkpoint also receives metrics.json.

    Args:
        precision: Precision of the forward passes, "32-true" or "bf16-mixed".
        run: Digest of the run's spec, which identifies the checkpoints of the run.
        checkpoint_every: Iterations between two checkpoints; with 0, the elapsed time decides.
        micro_batches: Number of micro-batches per batch, as in the budget; computed one after the other.

    Raises:
        ValueError: The process is one of several that share a run.
    """

    def __init__(
        self,
        *,
        precision: str = "32-true",
        run: str = "",
        checkpoint_every: int = 0,
        micro_batches: int = 1,
        arithmetic: str = "",
    ) -> None:
        if not find_rank(micro_batches, os.environ).is_alone:
            raise ValueError(
                f"engine 'detectron2' computes all {micro_batches} micro-batches in one process: "
                "start 1 task, or use engine 'fabric'"
            )
        super().__init__(
            group=ProcessGroup(Rank()),
            device=choose_device(),
            precision=precision,
            run=run,
            checkpoint_every=checkpoint_every,
            micro_batches=micro_batches,
            arithmetic=arithmetic,
        )

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
        """Count every labeled pixel once in Detectron2's evaluation loop; see `Engine.evaluate`."""
        method.to(self.device).eval()
        forward = wrap_precision(method, precision=self._precision, device=self.device)

        def predict(batch: Batch) -> list[Prediction]:
            return [predict_image(forward, method, _drop_target(sample), device=self.device) for sample in batch]

        counter, file = Counter(classes, seen, gamma=gamma), self._open_partial_counts(partial, method)
        done = file.restore(counter)
        evaluator = _CountingEvaluator(
            counter, method=method, observe=observe, total=len(data), done=done, partial=file
        )
        with file.defer_stop():
            counts: Counts = inference_on_dataset(predict, _TargetLoader(data, first=done), evaluator)["counts"]
        return counts

    def _load(self, training: Training) -> int | None:
        start: int | None = _make_checkpointer(training).resume_or_load("").get("iteration")
        return start

    def _train(self, training: Training, *, start: int) -> None:
        method, iterations = training.method, training.budget.iterations
        optimizer = training.optimizer
        assert optimizer is not None
        run_micro_batch = bind(
            forward_backward,
            method,
            forward=wrap_precision(method, precision=self._precision, device=self.device),
            zero_grad=optimizer.zero_grad,
            backward=torch.Tensor.backward,
            device=self.device,
        )
        gradient = GradientAccumulator(method, run_micro_batch, micro_batches=self._micro_batches, group=self._group)
        batches = training.data.batches(start, iterations)
        reader = LossReader(method, self.device)
        trainer = MicroBatchTrainer(
            method,
            batches,
            optimizer,
            gradient=gradient,
            make_step_context=training.make_step_context,
            reader=reader,
        )
        trainer.register_hooks(_make_hooks(training, reader, start=start))
        trainer.train(start, iterations)


def _make_hooks(training: Training, reader: LossReader, *, start: int) -> list[HookBase]:
    method, budget = training.method, training.budget
    trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
    learning_rate = LearningRateHook(budget)
    writers = open_writers(training.checkpoint.path.parent, start=start, iterations=budget.iterations)
    return [
        IterationTimer(),
        learning_rate,
        ClippingHook(trained, max_norm=budget.clip_norm, reader=reader),
        LossHook(period=STEPS_PER_READ),
        PeriodicWriter(writers, period=STEPS_PER_READ),
        ProgressHook(training.observe, learning_rate),
        CheckpointHook(_make_checkpointer(training), reader),
    ]


def _make_checkpointer(training: Training) -> RunCheckpointer:
    return RunCheckpointer(training.method, training.checkpoint, training.optimizer)


class _TargetLoader:
    """The scored images as inputs of Detectron2's evaluation loop: batches of one sample with its target.

    Args:
        data: Loader of all scored images.
        first: Index of the first image.
    """

    def __init__(self, data: EvalLoader, *, first: int) -> None:
        self._data, self._first = data, first

    def __len__(self) -> int:
        return len(self._data) - self._first

    def __iter__(self) -> Iterator[Batch]:
        for sample, target in self._data.images(first=self._first):
            yield [sample | {"sem_seg": target}]


class _CountingEvaluator(DatasetEvaluator):  # type: ignore[misc]  # it has no types
    """Our counter in Detectron2's evaluation loop."""

    def __init__(
        self, counter: Counter, *, method: Method, observe: Observer, total: int, done: int, partial: PartialCounts
    ) -> None:
        self._counter, self._method, self._observe = counter, method, observe
        self._total, self._done, self._partial = total, done, partial

    def process(self, inputs: Batch, outputs: list[Prediction]) -> None:
        """Count the pixels of a batch; sem_seg is the target (H, W) in inputs and (K, H, W) in outputs."""
        for sample, prediction in zip(inputs, outputs, strict=True):
            count_image(self._counter, prediction, sample["sem_seg"], image_id=sample["image_id"], method=self._method)
            self._done += 1
            self._observe(Progress("evaluate", self._done, self._total, {}))
            self._partial.update(self._counter, is_last=self._done == self._total)

    def evaluate(self) -> dict[str, Counts]:
        """Return the counts of all images."""
        return {"counts": self._counter.compute()}


def _drop_target(sample: Sample) -> Sample:
    """Return a sample without its target, as a method receives it."""
    stripped = sample.copy()
    del stripped["sem_seg"]
    return stripped
