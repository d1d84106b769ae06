"""The gradient of an iteration whose batch is split, in order, into equal micro_batches.

It is the mean over the micro_batches of the gradient of each shard's own losses. One process does all micro_batches, one after the
other, or as many processes do one each; either way the gradients are added in the order of the micro_batches, so that the same
bits come out. Buffers that training changes (running statistics, memory banks) begin every shard as they began the
iteration, and those of the first shard are kept: what the broadcast of DistributedDataParallel amounts to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from benchmark.core.method import Method, StepContext
from benchmark.core.types import Batch
from benchmark.engine.checkpoint import trainable_state
from benchmark.engine.place import Place
from benchmark.engine.team import ProcessGroup

Readings = dict[str, float]
Differentiate = Callable[[Batch, StepContext], Readings]
"""Leaves the gradient of a shard's losses, and of nothing else, in the parameters; returns the losses."""


def slots_of(place: Place, *, batch_size: int) -> slice:
    """Which slots of every batch a process computes."""
    return slice(place.rank * batch_size // place.size, (place.rank + 1) * batch_size // place.size)


class Gradient:
    """Leaves the gradient of an iteration in the parameters.

    Args:
        method: whose parameters and buffers these are.
        differentiate: does so for a micro_batch.
        micro_batches: of every batch.
        team: the processes that share them: one, or as many as there are micro_batches.
    """

    def __init__(self, method: Method, differentiate: Differentiate, *, micro_batches: int, team: ProcessGroup) -> None:
        self._method, self._differentiate, self._shards, self._team = method, differentiate, micro_batches, team
        self._parameters = [parameter for parameter in method.parameters() if parameter.requires_grad]
        kept = trainable_state(method).keys()
        self._names = [name for name, _ in method.named_buffers(remove_duplicate=False) if name in kept]

    def take(self, batch: Batch, step_context: StepContext) -> Readings:
        """Take the gradient of one iteration.

        Args:
            batch: the slots of this process.
            step_context: of the first micro_batch.

        Returns:
            The losses, as means over the micro_batches; one that a shard does not have is 0 there.
        """
        if self._shards == 1:
            return self._differentiate(batch, step_context)
        take = self._in_turn if self._team.place.is_alone else self._at_once
        readings: list[Readings] = []
        total = torch.zeros(())
        for losses, vector in take(batch, step_context):
            readings.append(losses)
            total = total + vector
        unpack(total / self._shards, self._parameters)
        names = dict.fromkeys(name for losses in readings for name in losses)
        return {name: sum(losses.get(name, 0.0) for losses in readings) / self._shards for name in names}

    def _in_turn(self, batch: Batch, step_context: StepContext) -> Iterator[tuple[Readings, Tensor]]:
        """Losses and gradient of every micro_batch, from this process."""
        size = len(batch) // self._shards
        begun = kept = [buffer.clone() for buffer in self._buffers()]
        for micro_batch in range(self._shards):
            losses = self._differentiate(
                batch[micro_batch * size : (micro_batch + 1) * size], replace(step_context, micro_batch=micro_batch)
            )
            if micro_batch == 0:
                kept = [buffer.clone() for buffer in self._buffers()]
            _put(begun, self._buffers())
            yield losses, pack(self._parameters)
        _put(kept, self._buffers())

    def _at_once(self, batch: Batch, step_context: StepContext) -> Iterable[tuple[Readings, Tensor]]:
        """Losses and gradient of every micro_batch, each from the process of that rank."""
        own = replace(step_context, micro_batch=self._team.place.rank)
        losses = self._team.together(lambda: self._differentiate(batch, own))
        vectors = self._team.gather(pack(self._parameters))
        self._team.share(self._buffers())
        return zip(losses, vectors, strict=True)

    def _buffers(self) -> list[Tensor]:
        """As they are now: a method may have put new ones in their places."""
        return [self._method.get_buffer(name) for name in self._names]


def pack(parameters: Sequence[Tensor]) -> Tensor:
    """The gradients as one vector, zeros for those that are missing; then, for each parameter, whether it has one."""
    has_one = torch.tensor([parameter.grad is not None for parameter in parameters], device=parameters[0].device)
    gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in parameters]
    return torch.cat([*(gradient.flatten() for gradient in gradients), has_one.to(gradients[0])])


def unpack(vector: Tensor, parameters: Sequence[Tensor]) -> None:
    """Give gradients back to the parameters; one that no shard has stays missing, and its parameter untouched."""
    *gradients, has_one = vector.split([*(parameter.numel() for parameter in parameters), len(parameters)])
    for parameter, gradient, is_there in zip(parameters, gradients, has_one.tolist(), strict=True):
        parameter.grad = gradient.view_as(parameter).to(parameter.dtype) if is_there else None


def _put(values: Sequence[Tensor], buffers: Sequence[Tensor]) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)
