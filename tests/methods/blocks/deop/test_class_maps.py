"""Class maps of proposals and their loss, by hand."""

from __future__ import annotations

from math import exp, log

import pytest
import torch
from torch import Tensor

from benchmark.core.types import get_ignore_label
from methods.blocks.deop import ClassMapConfig, ClassMapLoss, compute_class_maps

IGNORE = get_ignore_label(2)
MASKS = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
PROBABILITIES = torch.randn(2, 4, 3, generator=torch.Generator().manual_seed(1)).softmax(dim=2)
LABELS = torch.tensor([[[0, 0, 1], [0, IGNORE, 1], [IGNORE, 1, 1]], [[0] * 3, [1] * 3, [IGNORE] * 3]])


def compute(config: ClassMapConfig, *, masks: Tensor = MASKS, labels: Tensor = LABELS) -> dict[str, float]:
    losses = ClassMapLoss(config)(masks, PROBABILITIES, labels)
    return {name: float(loss) for name, loss in losses.items()}


def test_a_class_map_sums_the_masks_by_their_probability_of_the_class() -> None:
    masks = torch.tensor([[[[0.0]], [[log(3)]]]])  # probabilities 1/2 and 3/4
    maps = compute_class_maps(masks, torch.tensor([[[0.2, 0.8], [1.0, 0.0]]]), size=(1, 1))
    torch.testing.assert_close(maps.flatten(), torch.tensor([0.1 + 0.75, 0.4]))


def test_masks_are_resized_before_the_sigmoid() -> None:
    masks = torch.tensor([[[[-4.0, 8.0]]]])
    maps = compute_class_maps(masks, torch.ones(1, 1, 1), size=(1, 4))
    torch.testing.assert_close(maps.flatten(), torch.tensor([-4.0, -1.0, 5.0, 8.0]).sigmoid())


def test_the_loss_of_a_pixel_that_one_sure_mask_covers_is_that_of_one_half() -> None:
    masks, probabilities = torch.full((1, 1, 1, 1), 100.0), torch.tensor([[[1.0, 0.0, 0.0]]])
    losses = ClassMapLoss(ClassMapConfig(focal=1, dice=1))(masks, probabilities, torch.zeros(1, 1, 1, dtype=torch.long))
    low = 1 / (1 + exp(3))  # of the class without a mask, and of no object
    focal = 0.25 * 0.5**2 * log(2) - 2 * 0.75 * low**2 * log(1 - low)
    assert float(losses["loss_class_focal"]) == pytest.approx(focal / 3, rel=1e-5)
    assert float(losses["loss_class_dice"]) == pytest.approx(1 - (2 * 0.5 + 1) / (0.5 + low + 1 + 1), rel=1e-5)


def test_the_order_of_the_proposals_has_no_influence() -> None:
    order = torch.tensor([2, 0, 3, 1])
    flipped = ClassMapLoss(ClassMapConfig())(MASKS[:, order], PROBABILITIES[:, order], LABELS)
    assert {name: float(loss) for name, loss in flipped.items()} == pytest.approx(compute(ClassMapConfig()))


@pytest.mark.parametrize(("unlabeled", "moves"), [("ignored", False), ("no object", True)])
def test_unlabeled_pixels_move_masks_only_if_they_show_no_object(unlabeled: str, moves: bool) -> None:
    masks = MASKS.clone().requires_grad_()
    losses = ClassMapLoss(ClassMapConfig.model_validate({"unlabeled": unlabeled}))(masks, PROBABILITIES, LABELS)
    sum(losses.values()).backward()
    gradient = masks.grad.abs().amax(dim=1)
    assert bool((gradient[LABELS == IGNORE] > 0).all()) is moves
    assert (gradient[LABELS != IGNORE] > 0).all()


def test_an_ignored_image_counts_with_nothing_but_its_share_of_dice() -> None:
    config = ClassMapConfig(unlabeled="ignored")
    first = ClassMapLoss(config)(MASKS[:1], PROBABILITIES[:1], LABELS[:1])
    labels = torch.stack([LABELS[0], torch.full_like(LABELS[1], IGNORE)])
    both = compute(config, labels=labels)
    assert both["loss_class_focal"] == pytest.approx(float(first["loss_class_focal"]))
    assert both["loss_class_dice"] == pytest.approx(float(first["loss_class_dice"]) / 2)


def test_without_labels_nothing_is_lost_if_unlabeled_pixels_are_ignored() -> None:
    losses = compute(ClassMapConfig(unlabeled="ignored"), labels=torch.full_like(LABELS, IGNORE))
    assert losses == {"loss_class_focal": 0, "loss_class_dice": 0}


def test_weights_scale_the_terms() -> None:
    once, more = compute(ClassMapConfig(focal=1, dice=1)), compute(ClassMapConfig(focal=3, dice=0.5))
    assert more["loss_class_focal"] == pytest.approx(3 * once["loss_class_focal"])
    assert more["loss_class_dice"] == pytest.approx(0.5 * once["loss_class_dice"])
