"""Products of float32 matrices by oneDNN instead of MKL, if the instruction set is pinned.

The only code of MKL with equal results on AMD and Intel is that for SSE2. The code of oneDNN for AVX2 has equal results
on both and with any number of threads, in less than half the time.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.library import Library, get_kernel

from benchmark.utils.instruction_set import has_avx2, list_unpinned


@cache
def use_onednn_products() -> Library | None:
    """Let `torch.mm`, `torch.addmm` and everything built on them (`F.linear`) compute with oneDNN on the CPU.

    Returns:
        Registration of the kernels, which stand until the process ends; None if the instruction set is not pinned.
    """
    if not has_avx2() or list_unpinned() or not torch.backends.mkldnn.is_available():
        return None
    mm, addmm = get_kernel("aten::mm", "CPU"), get_kernel("aten::addmm", "CPU")

    def multiply(keys: Any, left: Tensor, right: Tensor) -> Tensor:
        product: Tensor = _multiply(left, right) if _fits(left, right) else mm.call_boxed(keys, left, right)
        return product

    def multiply_and_add(keys: Any, *tensors: Tensor, beta: float = 1, alpha: float = 1) -> Tensor:
        bias, left, right = tensors
        is_layer = _is_bias(bias, right) and alpha == beta == 1
        if is_layer and _fits(left, right):
            return _multiply(left, right, bias)
        total: Tensor = addmm.call_boxed(keys, bias, left, right, beta=beta, alpha=alpha)
        return total

    kernels = Library("aten", "IMPL")
    kernels.impl("mm", multiply, "CPU", with_keyset=True)
    kernels.impl("addmm", multiply_and_add, "CPU", with_keyset=True)
    return kernels


def _fits(left: Tensor, right: Tensor) -> bool:
    """Return whether oneDNN multiplies two tensors: float32 matrices of fitting sizes that are not empty."""
    is_single = left.dtype is right.dtype is torch.float32
    return is_single and left.shape[1:] == right.shape[:1] and left.numel() > 0 and right.numel() > 0


def _is_bias(bias: Tensor, right: Tensor) -> bool:
    """Return whether a tensor is a bias (M,) to the columns of a matrix (K, M)."""
    return bias.dtype is torch.float32 and bias.shape == right.shape[1:]


def _multiply(left: Tensor, right: Tensor, bias: Tensor | None = None) -> Tensor:
    """Multiply matrices (N, K) and (K, M), and add a bias (M,)."""
    product: Tensor = torch.ops.mkldnn._linear_pointwise(left, right.t(), bias, "none", [], "")
    return product
