"""Matrix products by oneDNN: equal for any number of threads, and as exact as those of float64."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.profiler import ProfilerActivity, profile

from benchmark.engine.matrix_products import use_onednn_products

PROGRAM = """
import os
os.environ["MKL_CBWR"] = "AUTO"
from benchmark.engine.matrix_products import use_onednn_products
print(use_onednn_products())
"""


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    """Restore the number of threads; skip on processors whose instruction set cannot be pinned."""
    if use_onednn_products() is None:
        pytest.skip("the instruction set is not pinned")
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def list_operators(left: Tensor, right: Tensor) -> set[str]:
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        torch.mm(left, right)
    return {event.key for event in recorded.key_averages()}


@pytest.mark.parametrize(("n", "k", "m"), [(1040, 128, 512), (7, 5000, 1), (512, 1040, 96)])
def test_products_are_equal_for_any_number_of_threads(n: int, k: int, m: int) -> None:
    products = []
    for number in (1, 2, 3, 8):
        torch.set_num_threads(number)
        products.append(draw(n, k) @ draw(k, m, seed=1))
    assert all(torch.equal(product, products[0]) for product in products[1:])


def test_products_of_matrices_in_any_memory_order_are_those_of_float64() -> None:
    left, right = draw(30, 20), draw(20, 40, seed=1)
    expected = (left.double() @ right.double()).float()
    for a in (left, left.t().contiguous().t(), torch.cat([left, left], dim=1)[:, :20]):
        for b in (right, right.t().contiguous().t(), torch.cat([right, right], dim=1)[:, 40:]):
            torch.testing.assert_close(a @ b, expected, rtol=1e-5, atol=1e-5)


def test_a_linear_layer_has_the_gradients_of_float64() -> None:
    images, layer = draw(9, 4, 20).requires_grad_(), torch.nn.Linear(20, 6)
    layer(images).square().sum().backward()
    precise = images.detach().double().requires_grad_(), layer.weight.detach().double().requires_grad_()
    F.linear(*precise, layer.bias.detach().double()).square().sum().backward()
    for single, double in zip((images, layer.weight), precise, strict=True):
        torch.testing.assert_close(single.grad.double(), double.grad, rtol=1e-4, atol=1e-4)


def test_onednn_multiplies_float32_and_nothing_else() -> None:
    name = "mkldnn::_linear_pointwise"
    assert name in list_operators(draw(3, 4), draw(4, 5))
    assert name not in list_operators(draw(3, 4).double(), draw(4, 5).double())
    assert draw(0, 4) @ draw(4, 5) is not None and (draw(3, 0) @ draw(0, 5)).abs().sum() == 0


def test_scaled_sums_are_those_of_torch() -> None:
    total, left, right = draw(3, 5), draw(3, 4, seed=1), draw(4, 5, seed=2)
    torch.testing.assert_close(torch.addmm(total, left, right, beta=2, alpha=3), 2 * total + 3 * (left @ right))
    torch.testing.assert_close(torch.addmm(total[0], left, right, beta=0.5), total[0] / 2 + left @ right)
    torch.testing.assert_close(torch.addmm(total, left, right), total + left @ right)


def test_sizes_that_do_not_fit_are_refused_by_torch() -> None:
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        draw(3, 4) @ draw(5, 6)


def test_the_user_may_keep_mkl() -> None:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert result.stdout == "None\n"
