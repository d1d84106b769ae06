"""Pixel-text losses."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from benchmark.core.types import IGNORE, Sample
from methods.blocks.images import stack_labels
from methods.blocks.losses import PixelTextConfig, PixelTextLoss, cross_entropy, dice_loss, focal_loss

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 2)  # two pixels, two classes
LABELS = torch.tensor([[[0, 1]]])
Term = Callable[[Tensor, Tensor], Tensor]
P = 1 / (1 + math.exp(-2))  # of class 0 at the first pixel


def test_cross_entropy_is_the_mean_over_labeled_pixels() -> None:
    assert float(cross_entropy(LOGITS, LABELS)) == pytest.approx((-math.log(P) + math.log(2)) / 2)


def test_focal_weighs_easy_pixels_less() -> None:
    expected = ((1 - P) ** 2 * -math.log(P) + 0.25 * math.log(2)) / 2
    assert float(focal_loss(LOGITS, LABELS)) == pytest.approx(expected, rel=1e-5)


def test_dice_is_the_mean_over_present_classes() -> None:
    first = 1 - (2 * P + 1) / (P + 0.5 + 1 + 1)
    second = 1 - (2 * 0.5 + 1) / ((1 - P) + 0.5 + 1 + 1)
    assert float(dice_loss(LOGITS, LABELS)) == pytest.approx((first + second) / 2, rel=1e-5)


@pytest.mark.parametrize("term", [cross_entropy, focal_loss, dice_loss])
def test_unlabeled_pixels_do_not_count(term: Term) -> None:
    logits = torch.cat([LOGITS, torch.full((1, 2, 1, 3), 9.0)], dim=3).requires_grad_()
    labels = torch.cat([LABELS, torch.full((1, 1, 3), IGNORE)], dim=2)
    term(logits, labels).backward()
    assert float(term(logits.detach(), labels)) == pytest.approx(float(term(LOGITS, LABELS)))
    assert torch.equal(logits.grad[..., 2:], torch.zeros(1, 2, 1, 3))


@pytest.mark.parametrize("term", [cross_entropy, focal_loss, dice_loss])
def test_the_loss_of_an_image_without_labels_is_zero(term: Term) -> None:
    assert float(term(LOGITS, torch.full_like(LABELS, IGNORE))) == 0


def test_terms_of_weight_zero_are_not_computed() -> None:
    losses = PixelTextLoss(PixelTextConfig(focal=0, dice=2.0))(LOGITS, LABELS)
    assert sorted(losses) == ["loss_cross_entropy", "loss_dice"]
    assert float(losses["loss_dice"]) == pytest.approx(2 * float(dice_loss(LOGITS, LABELS)))


@pytest.mark.parametrize("term", [cross_entropy, focal_loss, dice_loss])
def test_beyond_255_classes_255_is_a_class_and_65535_is_ignored(term: Term) -> None:
    logits = torch.randn(1, 300, 1, 3, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[[255, 7, 65535]]])
    cut = term(logits[..., :2], labels[..., :2])
    assert float(term(logits, labels)) == pytest.approx(float(cut), rel=1e-5)
    assert float(term(logits, torch.tensor([[[255, 7, 255]]]))) != pytest.approx(float(cut), rel=1e-3)


@pytest.mark.parametrize(("classes", "padding"), [(20, 255), (300, 65535)])
def test_labels_are_padded_with_the_label_to_ignore(classes: int, padding: int) -> None:
    image, target = torch.zeros(3, 1, 2), torch.tensor([[4, 5]])
    sample: Sample = {"image": image, "height": 1, "width": 2, "file_name": "", "image_id": "", "sem_seg": target}
    labels = stack_labels([sample], size=(2, 3), num_classes=classes)
    assert labels.tolist() == [[[4, 5, padding], [padding] * 3]]
