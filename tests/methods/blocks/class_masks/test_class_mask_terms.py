"""Focal and dice loss of class masks: values by hand, and a straightforward implementation as the reference."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import IGNORE
from methods.blocks.class_masks import ClassMaskConfig, ClassMaskLoss, compute_class_mask_terms

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 2)  # two pixels, two classes
LABELS = torch.tensor([[[0, IGNORE]]])
P = 1 / (1 + math.exp(-2))  # of class 0 at the first pixel
HALF = 0.25 * math.log(2)  # (1 - p)² · -log p for p = 1/2
CASES = [("focal", True), ("focal", False), ("dice", True), ("dice", False)]
cases = pytest.mark.parametrize(("name", "ignore_as_negative"), CASES)


def compute(name: str, logits: Tensor, labels: Tensor, ignore_as_negative: bool = True) -> Tensor:
    terms = compute_class_mask_terms(logits, labels, ignore=IGNORE, ignore_as_negative=ignore_as_negative)
    term: Tensor = getattr(terms, name)
    return term


def refer(name: str, logits: Tensor, labels: Tensor, ignore_as_negative: bool) -> Tensor:
    """Compute a term mask by mask with automatic differentiation."""
    total, masks = torch.zeros((), dtype=logits.dtype), 0
    for maps, label in zip(logits, labels, strict=True):
        counted = torch.ones_like(label, dtype=torch.bool) if ignore_as_negative else label != IGNORE
        for k, scores in enumerate(maps):
            target, logit = (label == k)[counted].to(logits), scores[counted]
            masks += bool(target.any())
            if name == "focal":
                p_t = target * logit.sigmoid() + (1 - target) * (1 - logit.sigmoid())
                entropy = F.binary_cross_entropy_with_logits(logit, target, reduction="none")
                total = total + ((0.25 * target + 0.75 * (1 - target)) * (1 - p_t) ** 2 * entropy).mean()
            elif target.any():
                overlap = 2 * (logit.sigmoid() * target).sum() + 1
                total = total + 1 - overlap / (logit.sigmoid().sum() + target.sum() + 1)
    return total / masks


def make_case() -> tuple[Tensor, Tensor]:
    """Return logits and labels with unlabeled pixels and an absent class."""
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(2, 5, 6, 4, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 6, (2, 6, 4), generator=generator)
    return logits, labels.masked_fill((labels == 5) | (labels == 2), IGNORE)


def test_focal_treats_every_class_by_itself() -> None:
    expected = (0.25 * (1 - P) ** 2 * -math.log(P) + 3 * 0.75 * HALF) / 2  # two pixels, one mask
    assert float(compute("focal", LOGITS, LABELS)) == pytest.approx(expected, rel=1e-5)


def test_focal_leaves_unlabeled_pixels_out_on_request() -> None:
    expected = 0.25 * (1 - P) ** 2 * -math.log(P) + 0.75 * HALF  # one pixel, one mask
    assert float(compute("focal", LOGITS, LABELS, False)) == pytest.approx(expected, rel=1e-5)


def test_dice_counts_present_classes_only() -> None:
    assert float(compute("dice", LOGITS, LABELS)) == pytest.approx(1 - (2 * P + 1) / (P + 0.5 + 1 + 1), rel=1e-5)
    assert float(compute("dice", LOGITS, LABELS, False)) == pytest.approx(1 - (2 * P + 1) / (P + 1 + 1), rel=1e-5)


@cases
def test_values_and_gradients_are_those_of_the_reference(name: str, ignore_as_negative: bool) -> None:
    logits, labels = make_case()
    logits.requires_grad_()
    value, expected = (function(name, logits, labels, ignore_as_negative) for function in (compute, refer))
    torch.testing.assert_close(value, expected, rtol=1e-10, atol=0)
    (gradient,), (expected_gradient,) = (torch.autograd.grad(loss, logits) for loss in (value, expected))
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-8, atol=1e-16)


@cases
def test_large_logits_give_finite_values_and_gradients(name: str, ignore_as_negative: bool) -> None:
    logits = torch.tensor([-1e4, 1e4, 0.0, 1e4]).reshape(1, 2, 1, 2).requires_grad_()
    loss = compute(name, logits, LABELS, ignore_as_negative)
    assert loss.isfinite()
    assert torch.autograd.grad(loss, logits)[0].isfinite().all()


@pytest.mark.parametrize("name", ["focal", "dice"])
def test_unlabeled_pixels_have_no_gradient_unless_they_are_negatives(name: str) -> None:
    logits, labels = make_case()
    ignored = (labels == IGNORE).unsqueeze(1).expand_as(logits)
    logits.requires_grad_()
    (without,) = torch.autograd.grad(compute(name, logits, labels, False), logits)
    (negative,) = torch.autograd.grad(compute(name, logits, labels, True), logits)
    assert not without[ignored].any()
    assert negative[ignored].any()


@cases
def test_a_batch_without_labels_has_a_finite_loss(name: str, ignore_as_negative: bool) -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = compute(name, logits, torch.full_like(LABELS, IGNORE), ignore_as_negative)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert loss.isfinite()
    assert bool(gradient.any()) == (name == "focal" and ignore_as_negative)


def test_the_loss_weighs_its_terms_and_leaves_out_those_of_weight_zero() -> None:
    terms = compute_class_mask_terms(LOGITS, LABELS, ignore=IGNORE)
    both = ClassMaskLoss(ClassMaskConfig(focal=20, dice=3))(LOGITS, LABELS)
    torch.testing.assert_close(both, {"loss_focal": 20 * terms.focal, "loss_dice": 3 * terms.dice})
    assert list(ClassMaskLoss(ClassMaskConfig(focal=0))(LOGITS, LABELS)) == ["loss_dice"]


def test_the_loss_resizes_logits_to_the_labels() -> None:
    labels = torch.zeros(1, 8, 8, dtype=torch.long)
    resized = F.interpolate(LOGITS, size=(8, 8), mode="bilinear")
    expected = ClassMaskLoss(ClassMaskConfig())(resized, labels)
    torch.testing.assert_close(ClassMaskLoss(ClassMaskConfig())(LOGITS, labels), expected)
