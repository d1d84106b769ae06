"""Ridge regression on pairs that arrive in batches."""

from __future__ import annotations

import pytest
import torch

from methods.blocks.ridge import Ridge


def test_ridge_finds_a_linear_map() -> None:
    x = torch.randn(500, 6, generator=torch.Generator().manual_seed(1))
    weight, bias = torch.randn(3, 6), torch.randn(3)
    ridge = Ridge(penalty=1e-8)
    ridge.add(x[:200], x[:200] @ weight.T + bias)
    ridge.add(x[200:], x[200:] @ weight.T + bias)
    fitted_weight, fitted_bias = ridge.solve()
    torch.testing.assert_close(fitted_weight, weight, rtol=0, atol=1e-4)
    torch.testing.assert_close(fitted_bias, bias, rtol=0, atol=1e-4)


def test_ridge_without_pairs_is_refused() -> None:
    with pytest.raises(RuntimeError, match="no pairs"):
        Ridge().solve()
