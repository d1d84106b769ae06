"""Forward passes in the precision of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from lightning_utilities.core.apply_func import apply_to_collection

from benchmark.core.method import Method
from benchmark.core.types import Batch


def wrap_precision(method: Method, *, precision: str, device: torch.device) -> Callable[[Batch], Any]:
    """Return the method in its precision, with what Fabric does to inputs and outputs and without its bookkeeping.

    Args:
        method: Method on its device.
        precision: "32-true" or "bf16-mixed".
        device: Device of the method.
    """
    if precision == "32-true":
        return method

    def forward(batch: Batch) -> Any:
        with torch.autocast(device.type, dtype=torch.bfloat16):
            outputs = method(_cast_tensors(batch, torch.bfloat16))
        return _cast_tensors(outputs, torch.float32)

    return forward


def _cast_tensors(values: Any, dtype: torch.dtype) -> Any:
    """Cast the floating point tensors in nested containers to a type."""
    return apply_to_collection(
        values, dtype=torch.Tensor, function=lambda tensor: tensor.to(dtype) if tensor.is_floating_point() else tensor
    )
