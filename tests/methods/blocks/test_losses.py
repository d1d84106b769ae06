"""Pixel-text losses."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.types import IGNORE, Sample
from methods.blocks.images import stack_labels
from methods.blocks.losses import PixelTextConfig, PixelTextLoss
from methods.blocks.pixel_text_terms import compute_pixel_text_terms

LOGITS = torch.tensor([[2.0, 0.0], [0.0, 0.0]]).T.reshape(1, 2, 1, 2)  # two pixels, two classes
LABELS = torch.tensor([[[0, 1]]])


def test_terms_of_weight_zero_are_not_part_of_the_loss() -> None:
    losses = PixelTextLoss(PixelTextConfig(focal=0, dice=2.0))(LOGITS, LABELS)
    assert sorted(losses) == ["loss_cross_entropy", "loss_dice"]
    dice = compute_pixel_text_terms(LOGITS, LABELS, ignore=IGNORE).dice
    assert float(losses["loss_dice"]) == pytest.approx(2 * float(dice))


def test_logits_are_resized_to_the_labels() -> None:
    labels = LABELS.repeat_interleave(3, dim=2)
    resized = F.interpolate(LOGITS, size=(1, 6), mode="bilinear")
    loss = PixelTextLoss(PixelTextConfig())
    assert loss(LOGITS, labels) == loss(resized, labels)


def _sum_of_losses(logits: Tensor, labels: Tensor) -> Tensor:
    return torch.stack(list(PixelTextLoss(PixelTextConfig())(logits, labels).values())).sum()


def test_the_loss_of_bfloat16_logits_is_computed_in_float32() -> None:
    logits = torch.randn(2, 9, 4, 4, generator=torch.Generator().manual_seed(0)).bfloat16()
    labels = torch.arange(2 * 16 * 16).reshape(2, 16, 16) % 9
    precise, narrow = logits.float().requires_grad_(), logits.clone().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = _sum_of_losses(narrow, labels)
    expected = _sum_of_losses(precise, labels)
    assert torch.equal(loss, expected)
    (gradient,), (expected_gradient,) = torch.autograd.grad(loss, narrow), torch.autograd.grad(expected, precise)
    assert torch.equal(gradient, expected_gradient.bfloat16())


@pytest.mark.parametrize(("classes", "padding"), [(20, 255), (300, 65535)])
def test_labels_are_padded_with_the_label_to_ignore(classes: int, padding: int) -> None:
    image, target = torch.zeros(3, 1, 2), torch.tensor([[4, 5]])
    sample: Sample = {"image": image, "height": 1, "width": 2, "file_name": "", "image_id": "", "sem_seg": target}
    labels = stack_labels([sample], size=(2, 3), num_classes=classes)
    assert labels.tolist() == [[[4, 5, padding], [padding] * 3]]
