"""Softplus and binary cross-entropy against torch's own."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.softplus import compute_binary_cross_entropy, compute_softplus


def make_logits() -> Tensor:
    """Return logits (2, 3, 500) from -200 to 200, most of them near 0, as leaves."""
    values = torch.randn(2, 3, 500, generator=torch.Generator().manual_seed(0)) * 6
    values[0, 0, :5] = torch.tensor([-200.0, -20.0, 0.0, 20.0, 200.0])
    return values.requires_grad_()


def test_softplus_has_the_values_and_the_gradient_of_torch() -> None:
    logits, reference = make_logits(), make_logits()
    ours, expected = compute_softplus(logits), F.softplus(reference.double(), threshold=1000).float()
    assert torch.allclose(ours, expected, atol=3e-7, rtol=1e-6) and ours.min() >= 0
    ours.square().sum().backward()
    expected.square().sum().backward()
    assert logits.grad is not None and reference.grad is not None
    assert torch.allclose(logits.grad, reference.grad, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("hard", [True, False])
def test_binary_cross_entropy_is_that_of_torch(hard: bool) -> None:
    logits, reference = make_logits(), make_logits()
    targets = torch.rand(2, 3, 500, generator=torch.Generator().manual_seed(1))
    targets = targets.round() if hard else targets
    ours = compute_binary_cross_entropy(logits, targets)
    expected = F.binary_cross_entropy_with_logits(reference, targets, reduction="none")
    assert torch.allclose(ours, expected, atol=2e-6, rtol=1e-6)
    ours.mean().backward()
    expected.mean().backward()
    assert logits.grad is not None and reference.grad is not None
    assert torch.allclose(logits.grad, reference.grad, atol=1e-7)
