"""What our training does before and after a step, as hooks of Detectron2's trainer."""

from __future__ import annotations

from collections.abc import Sequence

from detectron2.engine import HookBase
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.d2.engine.checkpointer import RunCheckpointer
from benchmark.engine import interrupts, steps
from benchmark.engine.base import Observer, Progress


class Rate(HookBase):  # type: ignore[misc]  # it has no types
    """Sets the learning rate of a step, and keeps it in the event storage as "lr"."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.latest = 0.0

    def before_step(self) -> None:
        """Set it."""
        self.latest = steps.set_rate(self.trainer.optimizer, budget=self._budget, iteration=self.trainer.iter)
        self.trainer.storage.put_scalar("lr", self.latest, smoothing_hint=False)


class Clip(HookBase):  # type: ignore[misc]
    """Scales the gradient down to a norm. Raises FloatingPointError where it is not finite."""

    def __init__(self, parameters: Sequence[Tensor], *, norm: float) -> None:
        self._parameters, self._norm = parameters, norm

    def after_backward(self) -> None:
        """Scale it."""
        steps.clip(self._parameters, norm=self._norm, iteration=self.trainer.iter)


class Report(HookBase):  # type: ignore[misc]
    """Tells the observer of every step."""

    def __init__(self, observe: Observer, rate: Rate) -> None:
        self._observe, self._rate = observe, rate

    def after_step(self) -> None:
        """Tell of it."""
        done, total = self.trainer.iter + 1, self.trainer.max_iter
        self._observe(Progress("train", done, total, self.trainer.losses, self._rate.latest))


class Save(HookBase):  # type: ignore[misc]
    """Saves when it is due, and when the process is asked to end, which ends training with KeyboardInterrupt."""

    def __init__(self, checkpointer: RunCheckpointer) -> None:
        self._checkpointer = checkpointer

    def before_step(self) -> None:
        """Save what the steps before this one did."""
        done = self.trainer.iter
        if done > self.trainer.start_iter and self._checkpointer.file.is_due(done):
            self._checkpointer.save("checkpoint", iteration=done)

    def after_step(self) -> None:
        """End here if asked to."""
        if interrupts.is_asked():
            self._checkpointer.save("checkpoint", iteration=self.trainer.iter + 1)
            raise KeyboardInterrupt
