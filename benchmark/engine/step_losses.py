"""Losses and gradient norms of training steps, which stay on the device until their values are needed.

Reading a value waits until a GPU has computed it, and the GPU then waits for its next work. So the values of many steps
are read at once: every `STEPS_PER_READ` steps, before a checkpoint, and when an observer looks at the losses of a step.
A value that is not finite therefore ends a training on a GPU some steps later, but names its own step, and no
checkpoint and no observer gets to see it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmark.core.method import Method
from benchmark.core.method_outputs import check_loss_values, list_detached
from benchmark.core.types import Losses

STEPS_PER_READ = 20
"""Steps of a GPU between two reads."""


@dataclass(frozen=True)
class DeviceLosses:
    """Losses of one micro-batch.

    Attributes:
        names: Names of the L losses.
        values: (L,) losses on their device, without gradients.
        detached: Names of the losses that had no gradient.
    """

    names: tuple[str, ...]
    values: Tensor
    detached: tuple[str, ...] = ()

    def name_values(self, values: Sequence[float]) -> dict[str, float]:
        """Return L values by name."""
        return dict(zip(self.names, values, strict=True))

    def to_cpu(self) -> DeviceLosses:
        """Return the same losses on the CPU, once they are computed."""
        return replace(self, values=self.values.cpu())


def pack_losses(losses: Losses) -> tuple[Tensor, DeviceLosses]:
    """Return the sum of losses, a scalar () with gradients, and their values."""
    stacked = torch.stack(list(losses.values()))  # (L,)
    return stacked.sum(), DeviceLosses(tuple(losses), stacked.detach(), list_detached(losses))


class StepLosses(Mapping[str, float]):
    """Losses of one step by name, means over its micro-batches; a loss that a micro-batch does not have counts as 0.

    The first access to a value reads all steps so far, see `LossReader.read`.

    Args:
        reader: Reader of the step.
        iteration: Iteration of the step.
        micro_batches: Losses of each micro-batch.
    """

    def __init__(self, reader: LossReader, iteration: int, micro_batches: Sequence[DeviceLosses]) -> None:
        self.iteration, self.micro_batches = iteration, micro_batches
        self.norm: Tensor | None = None
        self._reader, self._values = reader, dict[str, float]()
        self._names = dict.fromkeys(name for losses in micro_batches for name in losses.names)

    def __getitem__(self, name: str) -> float:
        if not self.is_read:
            self._reader.read()
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @property
    def is_read(self) -> bool:
        """Whether the values are known on the CPU."""
        return bool(self._values)

    def list_tensors(self) -> list[Tensor]:
        """Return the losses of each micro-batch, (L,), and the norm of the gradient, (1,), if it is known."""
        norms = [] if self.norm is None else [self.norm.detach().reshape(1)]
        return [*(losses.values for losses in self.micro_batches), *norms]

    def set_values(self, values: Sequence[Sequence[float]], method: Method) -> None:
        """Check and keep the values of `list_tensors`.

        Raises:
            MethodOutputError: A loss is not finite, or is not zero and has no gradient.
            FloatingPointError: The norm of the gradient is not finite.
        """
        losses, norm = (values, 0.0) if self.norm is None else (values[:-1], values[-1][0])
        named = [device.name_values(numbers) for device, numbers in zip(self.micro_batches, losses, strict=True)]
        for device, micro_batch in zip(self.micro_batches, named, strict=True):
            check_loss_values(micro_batch, device.detached, method, iteration=self.iteration)
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient is not finite at iteration {self.iteration}: its norm is {norm}")
        self._values = named[0] if len(named) == 1 else _average(named)


class LossReader:
    """Reader of the losses and gradient norms of a training.

    Args:
        method: Method that is trained, for error messages.
        device: Device of the method. On the CPU, where no value is waited for, every step is read when it ends.
    """

    def __init__(self, method: Method, device: torch.device) -> None:
        self._method = method
        self._steps_per_read = 1 if device.type == "cpu" else STEPS_PER_READ
        self._unread: list[StepLosses] = []

    def add(self, iteration: int, micro_batches: Sequence[DeviceLosses]) -> StepLosses:
        """Take the losses of the micro-batches of a step and return their means."""
        step = StepLosses(self, iteration, micro_batches)
        self._unread.append(step)
        return step

    def add_norm(self, norm: Tensor) -> None:
        """Take the norm () of the latest step's gradient, and read all steps if it is time.

        Raises:
            MethodOutputError: A step is wrong, see `read`.
            FloatingPointError: A step is wrong, see `read`.
        """
        if self._unread:
            self._unread[-1].norm = norm
            if (self._unread[-1].iteration + 1) % self._steps_per_read == 0:
                self.read()

    def read(self) -> None:
        """Read and check all steps so far, in one transfer from the device.

        Raises:
            MethodOutputError: A loss is not finite, or is not zero and has no gradient; the first such step is named.
            FloatingPointError: The norm of a gradient is not finite.
        """
        steps, self._unread = self._unread, []
        tensors = [tensor for step in steps for tensor in step.list_tensors()]
        if not tensors:
            return
        numbers = torch.cat([tensor.to(tensors[0].device) for tensor in tensors]).tolist()
        pieces = iter(_split(numbers, [len(tensor) for tensor in tensors]))
        for step in steps:
            step.set_values([next(pieces) for _ in step.list_tensors()], self._method)


def _average(micro_batches: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Return the means of losses by name; a loss that a micro-batch does not have counts as 0."""
    names = dict.fromkeys(name for losses in micro_batches for name in losses)
    return {name: sum(losses.get(name, 0.0) for losses in micro_batches) / len(micro_batches) for name in names}


def _split(numbers: Sequence[float], sizes: Sequence[int]) -> Iterator[Sequence[float]]:
    """Yield consecutive pieces of given sizes."""
    start = 0
    for size in sizes:
        yield numbers[start : start + size]
        start += size
