"""Binary focal loss compared with its definition, and its derivative with automatic differentiation."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.blocks.binary_focal import BinaryFocal, compute_sigmoid_slope

LOGITS = torch.linspace(-14, 14, 101, dtype=torch.float64)
CASES = [BinaryFocal(), BinaryFocal(bounds=(1e-3, 5.0))]


def define(focal: BinaryFocal, probabilities: Tensor, *, weight: float) -> Tensor:
    """Compute the loss of elements from the probabilities of the wrong answer."""
    log = -(1 - probabilities).log()
    return weight * probabilities**2 * (log if focal.bounds is None else log.clamp(*focal.bounds))


@pytest.mark.parametrize("focal", CASES)
def test_losses_and_slopes_are_those_of_the_definition(focal: BinaryFocal) -> None:
    logits = LOGITS.clone().requires_grad_()
    for sign, weight, loss, slope in (
        (1, 0.75, focal.of_negatives, focal.slope_of_negatives),
        (-1, 0.25, focal.of_positives, focal.slope_of_positives),
    ):
        expected = define(focal, (sign * logits).sigmoid(), weight=weight)
        (gradient,) = torch.autograd.grad(expected.sum(), logits)
        torch.testing.assert_close(loss(LOGITS), expected.detach(), atol=1e-9, rtol=1e-7)
        torch.testing.assert_close(slope(LOGITS), gradient, atol=1e-9, rtol=1e-7)


def test_the_logits_stay_as_they_are() -> None:
    logits = LOGITS.clone()
    for focal in CASES:
        for function in (focal.of_negatives, focal.of_positives, focal.slope_of_negatives, focal.slope_of_positives):
            function(logits)
    assert logits.equal(LOGITS)


def test_the_slope_of_the_sigmoid_is_a_quarter_at_zero() -> None:
    assert compute_sigmoid_slope(torch.zeros(1)).tolist() == [0.25]
