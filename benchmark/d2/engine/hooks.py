"""Hooks of Detectron2's trainer for learning rate, clipping, progress and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from detectron2.engine import HookBase
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.d2.engine.checkpointer import RunCheckpointer
from benchmark.engine import interrupts
from benchmark.engine.base import Observer, Progress
from benchmark.engine.step_losses import LossReader, StepLosses
from benchmark.engine.training_step import clip_gradients, set_learning_rate


class LearningRateHook(HookBase):  # type: ignore[misc]  # it has no types
    """Sets the learning rate of every step and writes the rate to the event storage as "lr".

    Args:
        budget: Training budget with the learning rate schedule.

    Attributes:
        rate: Learning rate of the latest step.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.rate = 0.0

    def before_step(self) -> None:
        """Set the learning rate."""
        self.rate = set_learning_rate(self.trainer.optimizer, budget=self._budget, iteration=self.trainer.iter)
        self.trainer.storage.put_scalar("lr", self.rate, smoothing_hint=False)


class ClippingHook(HookBase):  # type: ignore[misc]
    """Scales gradients down to a maximum norm; see `clip_gradients`.

    Args:
        parameters: Trained parameters of any shape.
        max_norm: Upper bound of the L2 norm over all parameters.
        reader: Reader of the losses, which gets the norms.
    """

    def __init__(self, parameters: Sequence[Tensor], *, max_norm: float, reader: LossReader) -> None:
        self._parameters, self._max_norm, self._reader = parameters, max_norm, reader

    def after_backward(self) -> None:
        """Clip the gradients.

        Raises:
            FloatingPointError: A loss or a gradient of this step, or of an earlier one, is not finite.
        """
        self._reader.add_norm(clip_gradients(self._parameters, max_norm=self._max_norm))


class LossHook(HookBase):  # type: ignore[misc]
    """Writes the losses of all steps to the event storage, many steps at a time, before a `PeriodicWriter` needs them.

    Args:
        period: Iterations between two calls of the writers.
    """

    def __init__(self, *, period: int) -> None:
        self._period = period
        self._waiting: list[StepLosses] = []

    def after_step(self) -> None:
        """Take the losses of the step, and write those of all steps if the writers are about to.

        Raises:
            FloatingPointError: A loss or a gradient is not finite.
        """
        self._waiting.append(self.trainer.losses)
        done = self.trainer.iter + 1
        if done % self._period == 0 or done == self.trainer.max_iter:
            self._write()

    def after_train(self) -> None:
        """Write the losses that are known, as training may have been interrupted."""
        self._waiting = [losses for losses in self._waiting if losses.is_read]
        self._write()

    def _write(self) -> None:
        steps, self._waiting = self._waiting, []
        for losses in steps:
            for name, value in ({"total_loss": sum(losses.values())} | dict(losses)).items():
                self.trainer.storage.put_scalar(name, value, cur_iter=losses.iteration)


class ProgressHook(HookBase):  # type: ignore[misc]
    """Reports every step to an observer.

    Args:
        observe: Function that is called after every step.
        learning_rate: Hook that knows the learning rate of the step.
    """

    def __init__(self, observe: Observer, learning_rate: LearningRateHook) -> None:
        self._observe, self._learning_rate = observe, learning_rate

    def after_step(self) -> None:
        """Report the step."""
        done, total = self.trainer.iter + 1, self.trainer.max_iter
        self._observe(Progress("train", done, total, self.trainer.losses, self._learning_rate.rate))


class CheckpointHook(HookBase):  # type: ignore[misc]
    """Saves when a checkpoint is due and when a stop is requested.

    Args:
        checkpointer: Checkpointer of the run.
        reader: Reader of the losses: a state after a wrong step must not be saved.
    """

    def __init__(self, checkpointer: RunCheckpointer, reader: LossReader) -> None:
        self._checkpointer, self._reader = checkpointer, reader

    def before_step(self) -> None:
        """Save the steps of this attempt so far if a checkpoint is due."""
        done = self.trainer.iter
        if done > self.trainer.start_iter and self._checkpointer.file.is_due(done):
            self._reader.read()
            self._checkpointer.save("checkpoint", iteration=done)

    def after_step(self) -> None:
        """Save and end training if a stop is requested.

        Raises:
            KeyboardInterrupt: A stop is requested.
        """
        if interrupts.is_stop_requested():
            self._reader.read()
            self._checkpointer.save("checkpoint", iteration=self.trainer.iter + 1)
            raise KeyboardInterrupt
