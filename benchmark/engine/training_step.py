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
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmark.core.budget import Budget
from benchmark.core.method import Method, StepContext
from benchmark.core.method_outputs import check_loss_values, check_losses_unread
from benchmark.core.seeding import seed_globals
from benchmark.core.trainable_state import get_trainable_state
from benchmark.core.types import Batch, Losses
from benchmark.engine.device import move_to_device
from benchmark.engine.distributed import ProcessGroup, Rank
from benchmark.engine.optimizer import compute_learning_rate
from benchmark.engine.step_losses import DeviceLosses, pack_losses

ForwardBackward = Callable[[Batch, StepContext], DeviceLosses]
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
) -> DeviceLosses:
    """Replace the gradients of the parameters by those of one micro-batch; nothing waits for the device.

    Args:
        method: Method that is trained.
        batch: Samples of the micro-batch.
        step_context: Step context of the micro-batch.
        forward: Function from a batch on the device to losses; the method, or a wrapper that sets its precision.
        zero_grad: Function that discards the gradients of the step before.
        backward: Function that computes the gradients of a scalar ().
        device: Device of the method.

    Returns:
        Losses of the micro-batch; a `LossReader` checks their values.

    Raises:
        MethodOutputError: The method returned something else than losses that can be minimized.
    """
    set_step_context(method, step_context)
    losses = forward(move_to_device(batch, device))
    zero_grad()
    total, device_losses = pack_losses(check_losses_unread(losses, method, iteration=step_context.iteration))
    backward(total)
    return device_losses


def clip_gradients(parameters: Iterable[Tensor], *, max_norm: float) -> Tensor:
    """Scale the gradients of parameters down to a maximum norm over all of them, and return the norm before.

    Args:
        parameters: Parameters of any shape.
        max_norm: Upper bound of the L2 norm.

    Returns:
        () norm; gradients are not finite if it is not, which a `LossReader` checks.
    """
    return torch.nn.utils.clip_grad_norm_(parameters, max_norm)


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

    def accumulate(self, batch: Batch, step_context: StepContext) -> list[DeviceLosses]:
        """Leave the gradient of one iteration in the parameters.

        Args:
            batch: Slots of the batch that this process computes.
            step_context: Step context of the iteration, with micro_batch 0.

        Returns:
            Losses of each micro-batch, those of other processes included.
        """
        if self._micro_batches == 1:
            return [self._forward_backward(batch, step_context)]
        run = self._run_in_turn if self._group.rank.is_alone else self._run_in_parallel
        losses: list[DeviceLosses] = []
        total, has_gradient = torch.zeros(()), [False] * len(self._parameters)
        for part in run(batch, step_context):
            losses.append(part.losses)
            total = total + part.gradient
            has_gradient = [one or other for one, other in zip(has_gradient, part.has_gradient, strict=True)]
        unpack_gradients(total / self._micro_batches, self._parameters, has_gradient=has_gradient)
        return losses

    def _run_in_turn(self, batch: Batch, step_context: StepContext) -> Iterator[_MicroBatch]:
        """Yield the result of every micro-batch, all computed by this process."""
        size = len(batch) // self._micro_batches
        initial_buffers = first_buffers = [buffer.clone() for buffer in self._get_buffers()]
        for index in range(self._micro_batches):
            micro_batch = batch[index * size : (index + 1) * size]
            losses = self._forward_backward(micro_batch, replace(step_context, micro_batch=index))
            if index == 0:
                first_buffers = [buffer.clone() for buffer in self._get_buffers()]
            _copy_into(self._get_buffers(), initial_buffers)
            yield _MicroBatch(losses, pack_gradients(self._parameters), self._list_gradients())
        _copy_into(self._get_buffers(), first_buffers)

    def _run_in_parallel(self, batch: Batch, step_context: StepContext) -> Iterator[_MicroBatch]:
        """Yield the result of every micro-batch, each computed by the process of that rank."""
        own_context = replace(step_context, micro_batch=self._group.rank.index)

        def compute() -> tuple[DeviceLosses, list[bool]]:
            losses = self._forward_backward(batch, own_context).to_cpu()  # read here, as processes exchange numbers
            values = losses.name_values(losses.values.tolist())
            check_loss_values(values, losses.detached, self._method, iteration=step_context.iteration)
            return losses, self._list_gradients()

        results = self._group.gather_results(compute)
        gradients = self._group.gather_tensors(pack_gradients(self._parameters))
        self._group.broadcast_tensors(self._get_buffers())
        for (losses, has_gradient), gradient in zip(results, gradients, strict=True):
            yield _MicroBatch(losses, gradient, has_gradient)

    def _list_gradients(self) -> list[bool]:
        """Return whether each parameter has a gradient."""
        return [parameter.grad is not None for parameter in self._parameters]

    def _get_buffers(self) -> list[Tensor]:
        """Look up the buffers again, as a method may have replaced them."""
        return [self._method.get_buffer(name) for name in self._buffer_names]


@dataclass(frozen=True)
class _MicroBatch:
    """Result of one micro-batch.

    Attributes:
        losses: Its losses.
        gradient: (N,) its packed gradient.
        has_gradient: Whether each parameter has a gradient.
    """

    losses: DeviceLosses
    gradient: Tensor
    has_gradient: Sequence[bool]


def pack_gradients(parameters: Sequence[Tensor]) -> Tensor:
    """Pack the gradients of parameters of any shape, N elements in total, into (N,); 0 for those without one."""
    gradients = [torch.zeros_like(parameter) if parameter.grad is None else parameter.grad for parameter in parameters]
    return torch.cat([gradient.flatten() for gradient in gradients])


def unpack_gradients(vector: Tensor, parameters: Sequence[Tensor], *, has_gradient: Sequence[bool]) -> None:
    """Set the gradients of parameters from a vector made by `pack_gradients`.

    Args:
        vector: (N,) mean of packed gradients.
        parameters: P parameters of any shape with N elements in total.
        has_gradient: P flags. A parameter that no micro-batch has a gradient for gets None, so that the optimizer does
            not touch it.
    """
    gradients = vector.split([parameter.numel() for parameter in parameters])
    for parameter, gradient, is_present in zip(parameters, gradients, has_gradient, strict=True):
        parameter.grad = gradient.view_as(parameter).to(parameter.dtype) if is_present else None


def _copy_into(buffers: Sequence[Tensor], values: Sequence[Tensor]) -> None:
    for buffer, value in zip(buffers, values, strict=True):
        buffer.copy_(value)
