"""Cost of a method: parameters, floating point operations, time and memory.

Operations are counted by torch, whose counter misses two things that are corrected here: the fast path of
`nn.MultiheadAttention`, a third of the operations of a CLIP image encoder, and fused attention on the CPU. One
multiply-add is 2 operations.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

from benchmark.core.method import Method
from benchmark.core.run_record import Cost
from benchmark.core.split import Split
from benchmark.core.types import Batch
from benchmark.profiling.process_memory import get_peak_memory_mb

Shape = Sequence[int]

LATENCY_RUNS = 9
LATENCY_LIMIT_S = 20.0


def measure_cost(
    method: Method, image: Batch, *, split: Split, training: Batch | None, train_seconds: float, precision: str
) -> Cost:
    """Measure the cost of a method.

    This changes the method's state (statistics, memory banks), so measure last. The latency is that of the scores of
    all classes at full size, even if the method computes them lazily. The memory is the peak of the run so far, whose
    evaluation may not need all scores at once.

    Args:
        method: Method on its device.
        image: One sample with image (3, H, W) and no target, on the method's device; scored for all classes of the
            split.
        split: Split whose seen classes the method is trained with.
        training: Training batch on the method's device; None if the method is not trained.
        train_seconds: Seconds spent in training.
        precision: Precision of the forward passes, as in the budget.
    """
    memory_mb = get_peak_memory_mb()  # first, since the training step below may need more than the run did
    height, width = image[0]["image"].shape[-2:]
    method.set_classes(split.classes)
    method.eval()
    device = image[0]["image"].device.type
    cast = torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16-mixed")
    with torch.no_grad(), cast:
        inference_flops = count_flops(lambda: method(image))
        used_parameters = count_used_parameters(method, image)
        latency_ms = measure_median_ms(lambda: method(image)[0]["sem_seg"])
    method.set_classes(split.seen)
    with cast:
        training_flops = count_training_flops(method, training) if training else 0
    return Cost(
        trainable_parameters=sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad),
        total_parameters=used_parameters,
        inference_flops=inference_flops,
        training_flops=training_flops,
        latency_ms=latency_ms,
        train_seconds=train_seconds,
        peak_memory_mb=memory_mb,
        image_size=(height, width),
    )


def count_flops(action: Callable[[], Any]) -> int:
    """Count the floating point operations of an action."""
    with _disable_attention_fast_path(), FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION) as counter:
        action()
    return int(counter.get_total_flops())


def count_training_flops(method: Method, batch: Batch) -> int:
    """Count the operations of a training step per image, forward and backward; gradients are left in the method."""

    def run_step() -> None:
        losses = method(batch)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())

    method.train()
    operations = count_flops(run_step)
    method.eval()
    return round(operations / len(batch))


def count_used_parameters(method: Method, image: Batch) -> int:
    """Count the scalars of the parameters that a prediction uses, without those of teachers or text encoders."""
    with _disable_attention_fast_path(), _ParameterUse(method) as use:
        method(image)
    return int(use.scalars)


def measure_median_ms(action: Callable[[], Any], *, limit_s: float = LATENCY_LIMIT_S) -> float:
    """Measure the median wall time of an action.

    Args:
        action: Action to run once for warm-up and then up to `LATENCY_RUNS` times.
        limit_s: Seconds after which no further run is started.
    """
    times: list[float] = []
    begin = time.perf_counter()
    while len(times) <= LATENCY_RUNS and (len(times) < 2 or time.perf_counter() - begin < limit_s):
        start = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


class _ParameterUse(TorchFunctionMode):
    """Counter of the parameters of a module that are arguments of torch functions.

    Attributes:
        scalars: Number of scalars in these parameters.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._unused = {id(parameter): parameter.numel() for parameter in module.parameters()}
        self.scalars = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs or {})):
            self.scalars += self._unused.pop(id(leaf), 0)
        return func(*args, **(kwargs or {}))


def _count_attention_flops(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _count_attention_backward_flops(grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(grad, query, key, value))


_CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _count_attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _count_attention_backward_flops,
}


@contextmanager
def _disable_attention_fast_path() -> Iterator[None]:
    was_enabled = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_enabled)
