"""The default engine: Lightning Fabric provides device and precision, and the loops are ours."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial as bind

from benchmark.core.method import Method
from benchmark.data.loader import EvalLoader
from benchmark.engine import interrupts
from benchmark.engine.base import Engine, Observer, Progress, Training
from benchmark.engine.distributed import ProcessGroup, find_rank
from benchmark.engine.evaluation_loop import count_pixels, predict_each
from benchmark.engine.fabric_setup import open_fabric
from benchmark.engine.partial_counts import PartialFolder
from benchmark.engine.precision import wrap_precision
from benchmark.engine.step_losses import LossReader
from benchmark.engine.training_step import (
    GradientAccumulator,
    clip_gradients,
    forward_backward,
    select_slots,
    set_learning_rate,
)
from benchmark.evaluation.counter import Counter
from benchmark.evaluation.counts import Counts, merge


class FabricEngine(Engine):
    """Trains and evaluates on one device per process: the first CUDA device, or the CPU.

    A run with several micro-batches may have one process for each, the tasks of a SLURM job; see
    `benchmark.engine.distributed`.

    Args:
        precision: Precision of the forward passes, "32-true" or "bf16-mixed".
        accelerator: "auto", "cpu" or "cuda".
        run: Digest of the run's spec, which identifies the checkpoints of the run.
        checkpoint_every: Iterations between two checkpoints; with 0, the elapsed time decides.
        micro_batches: Number of micro-batches per batch, as in the budget.

    Raises:
        ValueError: The tasks of the job do not fit the micro-batches.
    """

    def __init__(
        self,
        *,
        precision: str = "32-true",
        accelerator: str = "auto",
        run: str = "",
        checkpoint_every: int = 0,
        micro_batches: int = 1,
        arithmetic: str = "",
    ) -> None:
        group = ProcessGroup(find_rank(micro_batches, os.environ))
        self._fabric = open_fabric(group.rank, accelerator=accelerator, precision=precision)
        super().__init__(
            group=group,
            device=self._fabric.device,
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
        """Count every labeled pixel once; see `Engine.evaluate`. The processes of a run share the images."""
        method.to(self.device)
        forward = wrap_precision(method, precision=self._precision, device=self.device)
        rank = self._group.rank

        def count_own_images() -> Counts:
            counter, file = Counter(classes, seen, gamma=gamma), self._open_partial_counts(partial, method)
            done, total = file.restore(counter), len(range(rank.index, len(data), rank.size))
            images = data.images(first=rank.index + done * rank.size, step=rank.size)
            predictions = predict_each(forward, method, images, device=self.device)
            return count_pixels(
                predictions, counter, method=method, observe=observe, total=total, done=done, partial=file
            )

        return merge(self._group.gather_results(count_own_images))

    def _load(self, training: Training) -> int | None:
        return training.checkpoint.load(training.method, training.optimizer)

    def _train(self, training: Training, *, start: int) -> None:
        method, budget, file = training.method, training.budget, training.checkpoint
        assert training.optimizer is not None
        module, optimizer = self._fabric.setup(method, training.optimizer)
        run_micro_batch = bind(
            forward_backward,
            method,
            forward=module,
            zero_grad=optimizer.zero_grad,
            backward=self._fabric.backward,
            device=self.device,
        )
        gradient = GradientAccumulator(method, run_micro_batch, micro_batches=self._micro_batches, group=self._group)
        trained = [parameter for parameter in method.parameters() if parameter.requires_grad]
        slots = select_slots(self._group.rank, batch_size=budget.batch_size)
        reader = LossReader(method, self.device)
        method.train()
        for iteration, batch in enumerate(training.data.batches(start, budget.iterations, slots=slots), start=start):
            if iteration > start and self.is_first and file.is_due(iteration):
                reader.read()  # a state after a wrong step must not be saved
                file.save(method, training.optimizer, iteration=iteration)
            rate = set_learning_rate(training.optimizer, budget=budget, iteration=iteration)
            losses = reader.add(iteration, gradient.accumulate(batch, training.make_step_context(iteration)))
            reader.add_norm(clip_gradients(trained, max_norm=budget.clip_norm))
            optimizer.step()
            training.observe(Progress("train", iteration + 1, budget.iterations, losses, rate))
            self._stop_if_requested(training, reader, done=iteration + 1)
        reader.read()

    def _stop_if_requested(self, training: Training, reader: LossReader, *, done: int) -> None:
        """Save and raise KeyboardInterrupt if any process of the run received a stop request."""
        if self._group.is_any(interrupts.is_stop_requested()):
            reader.read()
            if self.is_first:
                training.checkpoint.save(training.method, training.optimizer, iteration=done)
            self._group.wait_for_all()  # as a job may end when its first task ends, before the checkpoint is written
            raise KeyboardInterrupt
