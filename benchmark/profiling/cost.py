"""Cost of a method: parameters, floating point operations, time and memory.

Operations and parameters take one forward pass and one training step; the time of a prediction is taken from the
evaluation, so that a slow method is not run again and again. Operations are counted by torch, whose counter misses two
things that are corrected here: the fast path of `nn.MultiheadAttention`, a third of the operations of a CLIP image
encoder, and fused attention on the CPU. One multiply-add is 2 operations.
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

from benchmark.core.lazy_scores import LazyPrediction
from benchmark.core.method import Method
from benchmark.core.run_record import Cost
from benchmark.core.split import Split
from benchmark.core.types import Batch, Prediction
from benchmark.profiling.process_memory import get_peak_memory_mb

Shape = Sequence[int]


def describe_known_cost(method: Method, *, train_seconds: float) -> Cost:
    """Return the figures that take no further pass through a method; the others are None.

    The memory is the peak of the run so far, whose evaluation may not need all scores at once.

    Args:
        method: Trained method.
        train_seconds: Seconds spent in training.
    """
    return Cost(
        trainable_parameters=sum(parameter.numel() for parameter in method.parameters() if parameter.requires_grad),
        train_seconds=train_seconds,
        peak_memory_mb=get_peak_memory_mb(),
    )


def measure_cost(
    method: Method, image: Batch, *, split: Split, training: Batch | None, precision: str, predict_s: Sequence[float]
) -> dict[str, Any]:
    """Measure the figures that `describe_known_cost` lacks, in one prediction and one training step.

    This changes the method's state (statistics, memory banks), so measure last. The latency is that of the scores of
    all classes at full size, even if the method computes them lazily.

    Args:
        method: Method on its device.
        image: One sample with image (3, H, W) and no target, on the method's device; scored for all classes of the
            split.
        split: Split whose seen classes the method is trained with.
        training: Training batch on the method's device; None if the method is not trained.
        precision: Precision of the forward passes, as in the budget.
        predict_s: Seconds of every prediction of the evaluation, see `time_predictions`.

    Returns:
        Fields of a `Cost` by name.
    """
    method.set_classes(split.classes)
    method.eval()
    device = image[0]["image"].device.type
    cast = torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16-mixed")
    predictions: list[Prediction] = []
    with torch.no_grad(), cast:
        with ParameterUse(method) as use:
            inference_flops = count_flops(lambda: predictions.extend(method(image)))
        full_size_s = _time_full_size_scores(predictions[0])
    method.set_classes(split.seen)
    with cast:
        training_flops = count_training_flops(method, training) if training else 0
    return {
        "total_parameters": int(use.scalars),
        "inference_flops": inference_flops,
        "training_flops": training_flops,
        "latency_ms": 1000 * (compute_typical_s(predict_s) + full_size_s),
        "image_size": tuple(image[0]["image"].shape[-2:]),
    }


@contextmanager
def time_predictions(method: Method) -> Iterator[list[float]]:
    """Yield a list that gets the seconds of every prediction within the context, work on its device included."""
    seconds: list[float] = []
    start = 0.0

    def begin(*_: object) -> None:
        nonlocal start
        if not method.training:
            _synchronize()
            start = time.perf_counter()

    def end(*_: object) -> None:
        if not method.training:
            _synchronize()
            seconds.append(time.perf_counter() - start)

    hooks = (method.register_forward_pre_hook(begin), method.register_forward_hook(end))
    try:
        yield seconds
    finally:
        for hook in hooks:
            hook.remove()


def compute_typical_s(seconds: Sequence[float]) -> float:
    """Return the median of the seconds of calls, without the first call, which warms up, if there are others.

    Raises:
        ValueError: There are no calls.
    """
    if not seconds:
        raise ValueError("no prediction was timed: expected at least one call of the method in the evaluation")
    return statistics.median(seconds[1:] or seconds)


def count_flops(action: Callable[[], Any]) -> int:
    """Count the floating point operations of an action."""
    return sum(count_flops_by_operator(action).values())


def count_flops_by_operator(action: Callable[[], Any]) -> dict[str, int]:
    """Count the floating point operations of an action by the name of the operator, such as "aten.convolution"."""
    with _disable_attention_fast_path(), FlopCounterMode(display=False, custom_mapping=_CPU_ATTENTION) as counter:
        action()
    return {str(operator): int(count) for operator, count in counter.get_flop_counts().get("Global", {}).items()}


def count_training_flops(method: Method, batch: Batch) -> int:
    """Count the operations of a training step per image, forward and backward; gradients are left in the method."""

    def run_step() -> None:
        losses = method(batch)
        torch.autograd.backward(torch.stack(list(losses.values())).sum())

    method.train()
    operations = count_flops(run_step)
    method.eval()
    return round(operations / len(batch))


class ParameterUse(TorchFunctionMode):
    """Counter of the parameters of a module that are arguments of torch functions, without those of teachers.

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


def _time_full_size_scores(prediction: Prediction) -> float:
    """Return the seconds in which a prediction computes its scores (K, height, width); 0 if it has them already."""
    if not isinstance(prediction, LazyPrediction):
        return 0.0
    _synchronize()
    start = time.perf_counter()
    _ = prediction["sem_seg"]
    _synchronize()
    return time.perf_counter() - start


def _synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


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
