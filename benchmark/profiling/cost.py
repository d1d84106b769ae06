"""What a method costs: scalars, floating point operations, time and memory.

Operations are counted by torch, which overlooks two things that are put right here: the fast path of
`nn.MultiheadAttention`, without which a CLIP image tower comes out a third too cheap, and fused attention on the CPU.
One multiply-add is 2 operations.
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
from benchmark.profiling.process_memory import peak_memory_mb

Shape = Sequence[int]

LATENCY_RUNS = 9
LATENCY_LIMIT_S = 20.0


def measure(
    method: Method, image: Batch, *, split: Split, training: Batch | None, train_seconds: float, precision: str
) -> Cost:
    """Measure a method. It changes what the method remembers (statistics, memory banks): do it last.

    The latency is that of the whole answer: scores of all classes at full size, whether or not the method makes them
    before they are asked for. The memory is what the run needed, whose evaluation may not ask for all at once.

    Args:
        method: on its device.
        image: one sample without truth, on the method's device; it is scored for all classes of the split.
        split: whose seen classes the method is trained with.
        training: a training batch on the method's device; None where nothing is trained.
        train_seconds: as spent in `fit`.
        precision: of the forward passes, as in the budget.
    """
    memory_mb = peak_memory_mb()  # first, as the training step below may need more than the run did
    height, width = image[0]["image"].shape[-2:]
    method.set_classes(split.classes)
    method.eval()
    device = image[0]["image"].device.type
    cast = torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16-mixed")
    with torch.no_grad(), cast:
        inference_flops = count_flops(lambda: method(image))
        used = used_parameters(method, image)
        latency_ms = median_ms(lambda: method(image)[0]["sem_seg"])
    method.set_classes(split.seen)
    with cast:
        per_image = training_flops(method, training) if training else 0
    return Cost(
        trainable_parameters=sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad),
        total_parameters=used,
        inference_flops=inference_flops,
        training_flops=per_image,
        latency_ms=latency_ms,
        train_seconds=train_seconds,
        peak_memory_mb=memory_mb,
        image_size=(height, width),
    )


def count_flops(action: Callable[[], Any]) -> int:
    """Floating point operations of an action."""
    with _visible_attention(), FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION) as counter:
        action()
    return int(counter.get_total_flops())


def training_flops(method: Method, batch: Batch) -> int:
    """Operations of one image's share of a training step, forward and backward; leaves gradients behind."""

    def step() -> None:
        losses = method(batch)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())

    method.train()
    operations = count_flops(step)
    method.eval()
    return round(operations / len(batch))


def used_parameters(method: Method, image: Batch) -> int:
    """Scalars in the parameters that a prediction touches: a teacher or a text encoder is not among them."""
    with _visible_attention(), _Touched(method) as touched:
        method(image)
    return int(touched.scalars)


def median_ms(action: Callable[[], Any], *, limit_s: float = LATENCY_LIMIT_S) -> float:
    """Median wall time of an action after a first one, of up to `LATENCY_RUNS` that fit into the limit."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) <= LATENCY_RUNS and (len(times) < 2 or time.perf_counter() - begun < limit_s):
        start = time.perf_counter()
        action()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times[1:])


class _Touched(TorchFunctionMode):
    """Watches which parameters of a module go into torch functions."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._waiting = {id(parameter): parameter.numel() for parameter in module.parameters()}
        self.scalars = 0

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        for leaf in tree_leaves((args, kwargs or {})):
            self.scalars += self._waiting.pop(id(leaf), 0)
        return func(*args, **(kwargs or {}))


def _attention_flops(query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(query, key, value))


def _attention_backward_flops(grad: Shape, query: Shape, key: Shape, value: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(grad, query, key, value))


_CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention_flops,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward_flops,
}


@contextmanager
def _visible_attention() -> Iterator[None]:
    was_on = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_on)
