"""One training step: forward and backward pass, gradient accumulation, learning rate and clipping.

A batch may be split, in order, into equal micro-batches. The gradient of a step is the mean over the micro-batches of
the gradient of each micro-batch's own losses. One process computes all micro-batches one after the other, or as many
processes compute one each; either way the gradients are added in the order of the micro-batches, so that the result has
the same bits. Buffers that training changes (running statistics, memory banks) have the same values at the start of
every micro-batch, and the values after the first micro-batch are kept, like the buffer broadcast of
DistributedDataParallel.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.method_outputs import check_losses
from benchmark.core.seeding import seed_globals
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.types import Batch, Losses
from benchmark.engine.device import move_to_device
from benchmark.engine.distributed import ProcessGroup, Rank
from benchmark.engine.optimizer import compute_learning_rate

LossValues = dict[str, float]
"""Losses by name as plain numbers."""

ForwardBackward = Callable[[Batch, StepContext], LossValues]
"""Function that replaces the gradients of the parameters by those of one micro-batch and returns its losses."""


def set_learning_rate(optimizer: torch.optim.Optimizer, *, budget: Budget, iteration: int) -> float:
    """Set the learning rate of an iteration in every parameter group and return the rate."""
    rate = compute_learning_rate(budget, iteration)
    for group in optimizer.param_groups:
        group["lr"] = rate
    return rate


def set_step_context(method: Method, step_context: StepContext) -> None:
    """Set the step context of a method and seed the global random streams for one micro-batch."""
    method.step_context = step_context
    seed_globals(step_context.seed, "global", *step_context.rng_key)


def forward_backward(
    method: Method,
    batch: Batch,
    step_context: StepContext,
    *,
    forward: Callable[[Batch], Losses],
    zero_grad: Callable[[], None],
    backward: Callable[[Tensor], None],
    device: torch.device,
) -> LossValues:
    """Replace the gradients of the parameters by those of one micro-batch.

    Args:
        method: Method that is trained.
        batch: Samples of the micro-batch.
        step_context: Step context of the micro-batch.
        forward: Function from a batch on the device to losses; the method, or a wrapper that sets its precision.
        zero_grad: Function that discards the gradients of the step before.
        backward: Function that computes the gradients of a scalar ().
        device: Device of the method.

    Returns:
        Losses of the micro-batch.

    Raises:
        MethodOutputError: The method returned something else than losses that can be minimized.
        LossNotFiniteError: A loss is not finite.
    """
    set_step_context(method, step_context)
    losses = forward(move_to_device(batch, device))
    zero_grad()
    losses = check_losses(losses, method, iteration=step_context.iteration)
    backward(torch.stack(list(losses.values())).sum())
    return {name: float(value.detach()) for name, value in losses.items()}


def clip_gradients(parameters: Iterable[Tensor], *, max_norm: float, iteration: int) -> None:
    """Scale the gradients of parameters down to a maximum norm over all of them.

    Args:
        parameters: Parameters of any shape.
        max_norm: Upper bound of the L2 norm.
        iteration: Current iteration, for the error message.

    Raises:
        FloatingPointError: The norm is not finite.
    """
    norm = torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    if not torch.isfinite(norm):
        raise FloatingPointError(f"the gradient is not finite at iteration {iteration}: its norm is {norm.item()}")


def select_slots(rank: Rank, *, batch_size: int) -> slice:
    """Return the slots of every batch that a process computes."""
    return slice(rank.index * batch_size // rank.size, (rank.index + 1) * batch_size // rank.size)


class GradientAccumulator:
    """Computes the gradient of an iteration from its micro-batches.

    Args:
        method: Method whose parameters receive the gradient.
        forward_backward: Function that computes the gradient of one micro-batch.
        micro_batches: Number of micro-batches per batch.
        group: Processes that share the micro-batches: one process, or one for each micro-batch.
    """

    def __init__(
        self, method: Method, forward_backward: ForwardBackward, *, micro_batches: int, group: ProcessGroup
    ) -> None:
        self._method, self._forward_backward = method, forward_backward
        self._micro_batches, self._group = micro_batches, group
        self._parameters = [parameter for parameter in method.parameters() if parameter.requires_grad]
        saved_names = get_trainable_state(method).keys()
        self._buffer_names = [name for name, _ in method.named_buffers(remove_duplicate=False) if name in saved_names]

    def accumulate(self, batch: Batch, step_context: StepContext) -> LossValues:
        """Leave the gradient of one iteration in the parameters.

        Args:
            batch: Slots of the batch that this process computes.
            step_context: Step context of the iteration, with micro_batch 0.

        Returns:
            Means of the losses over the micro-batches; a loss that a micro-batch does not have counts as 0.
        """
        if self._micro_batches == 1:
            return self._forward_backward(batch, step_context)
        run = self._run_in_turn if self._group.rank.is_alone else self._run_in_parallel
        losses: list[LossValues] = []
        total = torch.zeros(())
        for micro_batch_losses, gradient in run(batch, step_context):
            losses.append(micro_batch_losses)
            total = total + gradient
        unpack_gradients(total / self._micro_batches, self._parameters)
        return _average_losses(losses)

    def _run_in_turn(self, batch: Batch, step_context: StepContext) -> Iterator[tuple[LossValues, Tensor]]:
        """Yield losses and packed gradient of every micro-batch, all computed by this process."""
        size = len(batch) // self._micro_batches
        initial_buffers = first_buffers = [buffer.clone() for buffer in self._get_buffers()]
        for index in range(self._micro_batches):
            micro_batch = batch[index * size : (index + 1) * size]
            losses = self._forward_backward(micro_batch, replace(step_context, micro_batch=index))
            if index == 0:
                first_buffers = [buffer.clone() for buffer in self._get_buffers()]
            _copy_into(self._get_buffers(), initial_buffers)
            yield losses, pack_gradients(self._parameters)
        _copy_into(self._get_buffers(), first_buffers)

    def _run_in_parallel(self, batch: Batch, step_context: StepContext) -> Iterable[tuple[LossValues, Tensor]]:
        """Return losses and packed gradient of every micro-batch, each computed by the process of that rank."""
        own_context = replace(step_context, micro_batch=self._group.rank.index)
        losses = self._group.gather_results(lambda: self._forward_backward(batch, own_context))
        gradients = self._group.gather_tensors(pack_gradients(self._parameters))
        self._group.broadcast_tensors(self._get_buffers())
        return zip(losses, gradients, strict=True)

    def _get_buffers(self) -> list[Tensor]:
        """Look up the buffers again, as a method may have replaced them."""
        return [self._method.get_buffer(name) for name in self._buffer_names]


def pack_gradients(parameters: Sequence[Tensor]) -> Tensor:
    """Pack the gradients of parameters into one vector.

    Args:
        parameters: P parameters of any shape with N elements in total.

    Returns:
        (N + P,) gradients, 0 for parameters without one; then, per parameter, 1 if it has a gradient and 0 if not.
    """
    has_gradient = torch.tensor([parameter.grad is not None for parameter in parameters], device=parameters[0].device)
    gradients = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
    return torch.cat([*(gradient.flatten() for gradient in gradients), has_gradient.to(gradients[0])])


def unpack_gradients(vector: Tensor, parameters: Sequence[Tensor]) -> None:
    """Set the gradients of parameters from a vector made by `pack_gradients`.

    Args:
        vector: (N + P,) mean of packed gradients.
        parameters: P parameters of any shape with N elements in total. A parameter that no micro-batch has a gradient
            for gets None, so that the optimizer does not touch it.
    """
    *gradients, has_gradient = vector.split([*(parameter.numel() for parameter in parameters), len(parameters)])
    for parameter, gradient, is_present in zip(parameters, gradients, has_gradient.tolist(), strict=True):
        parameter.grad = gradient.view_as(parameter).to(parameter.dtype) if is_present else None


def _average_losses(losses: Sequence[LossValues]) -> LossValues:
    names = dict.fromkeys(name for values in losses for name in values)
    return {name: sum(values.get(name, 0.0) for values in losses) / len(losses) for name in names}


def _copy_into(buffers: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)
