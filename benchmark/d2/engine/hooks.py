"""Hooks of Detectron2's trainer for learning rate, clipping, progress and checkpoints."""

from __future__ import annotations

from collections.abc import Sequence

from detectron2.engine import HookBase
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.d2.engine.checkpointer import RunCheckpointer
from benchmark.engine import interrupts
from benchmark.engine.base import Observer, Progress
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
    """

    def __init__(self, parameters: Sequence[Tensor], *, max_norm: float) -> None:
        self._parameters, self._max_norm = parameters, max_norm

    def after_backward(self) -> None:
        """Clip the gradients.

        Raises:
            FloatingPointError: The gradient is not finite.
        """
        clip_gradients(self._parameters, max_norm=self._max_norm, iteration=self.trainer.iter)


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
    """

    def __init__(self, checkpointer: RunCheckpointer) -> None:
        self._checkpointer = checkpointer

    def before_step(self) -> None:
        """Save the steps of this attempt so far if a checkpoint is due."""
        done = self.trainer.iter
        if done > self.trainer.start_iter and self._checkpointer.file.is_due(done):
            self._checkpointer.save("checkpoint", iteration=done)

    def after_step(self) -> None:
        """Save and end training if a stop is requested.

        Raises:
            KeyboardInterrupt: A stop is requested.
        """
        if interrupts.is_stop_requested():
            self._checkpointer.save("checkpoint", iteration=self.trainer.iter + 1)
            raise KeyboardInterrupt
