"""Losses of matched queries."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.mask_matching import (
    MaskMatchingConfig,
    Matches,
    PointSamplingConfig,
    compute_class_loss,
    compute_costs,
    compute_mask_losses,
    compute_matching_losses,
    make_mask_targets,
)

SAN = MaskMatchingConfig(
    class_weight=2, mask_weight=5, dice_weight=5, mask_term="bce", sampling=PointSamplingConfig(points=64)
)
LABELS = torch.randint(0, 4, (2, 8, 8), generator=torch.Generator().manual_seed(1))
TARGETS = make_mask_targets(LABELS, num_classes=3)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def match(*pairs: tuple[int, int, int]) -> Matches:
    return Matches(*torch.tensor(pairs).unbind(dim=1))


def test_mask_losses_are_those_worked_out_by_hand() -> None:
    """Of two pixels with probability 1/2, one is inside: focal (0.25 + 0.75) / 2 · 0.25 · ln 2, dice 1 - 2 / 3."""
    targets = make_mask_targets(torch.tensor([[[0, 1]]]), num_classes=1)
    masks = torch.zeros(1, 1, 1, 2)
    pixel_term, dice = compute_mask_losses(masks, targets, match((0, 0, 0)), config=MaskMatchingConfig())
    assert float(pixel_term) == pytest.approx(20 * 0.5 * 0.25 * math.log(2))
    assert float(dice) == pytest.approx(1 - 2 / 3)


def test_only_pixels_that_count_are_in_the_mask_losses() -> None:
    targets = make_mask_targets(torch.tensor([[[0, 1, 1, 1]]]), num_classes=1)
    narrow = make_mask_targets(torch.tensor([[[0, 1]]]), num_classes=1)
    valid = torch.tensor([[[True, True, False, False]]])
    masks, one = torch.tensor([[[[0.3, -0.2, 7.0, -5.0]]]]), match((0, 0, 0))
    losses = compute_mask_losses(masks, targets.restrict(valid), one, config=MaskMatchingConfig())
    expected = compute_mask_losses(masks[..., :2], narrow, one, config=MaskMatchingConfig())
    assert torch.stack(losses).tolist() == pytest.approx(torch.stack(expected).tolist())


def test_unmatched_queries_learn_no_object_with_its_weight() -> None:
    logits = draw(1, 3, 3)
    targets = make_mask_targets(torch.tensor([[[1]]]), num_classes=2)
    loss = compute_class_loss(logits, targets, match((0, 1, 0)), config=MaskMatchingConfig())
    expected = F.cross_entropy(logits[0], torch.tensor([2, 1, 2]), weight=torch.tensor([1, 1, 0.1]))
    assert float(loss) == pytest.approx(float(expected))


def test_queries_without_a_match_do_not_count_if_no_object_has_no_weight() -> None:
    logits = draw(1, 3, 3)
    targets = make_mask_targets(torch.tensor([[[1]]]), num_classes=2)
    config = MaskMatchingConfig(no_object_weight=0)
    loss = compute_class_loss(logits, targets, match((0, 1, 0)), config=config)
    assert float(loss) == pytest.approx(float(F.cross_entropy(logits[0, 1:2], torch.tensor([1]))))


@pytest.mark.parametrize("config", [MaskMatchingConfig(), SAN], ids=["all pixels", "points"])
def test_the_order_of_queries_changes_no_loss(config: MaskMatchingConfig) -> None:
    logits, masks, order = draw(2, 2, 6, 4), draw(2, 2, 6, 4, 4, seed=1), torch.tensor([3, 0, 5, 1, 4, 2])
    losses, again = (
        compute_matching_losses(*parts, TARGETS, config=config, generator=torch.Generator().manual_seed(0))
        for parts in ((logits, masks), (logits[:, :, order], masks[:, :, order]))
    )
    assert sorted(losses) == ["loss_ce", "loss_ce_0", "loss_dice", "loss_dice_0", "loss_mask", "loss_mask_0"]
    tolerance = 1e-5 if config.sampling is None else 0.5  # the points of a match depend on its position
    assert {name: float(loss) for name, loss in again.items()} == pytest.approx(
        {name: float(loss) for name, loss in losses.items()}, abs=tolerance
    )


@pytest.mark.parametrize("config", [MaskMatchingConfig(), SAN], ids=["all pixels", "points"])
def test_images_without_labels_teach_no_object_alone(config: MaskMatchingConfig) -> None:
    targets = make_mask_targets(torch.full((2, 8, 8), 255), num_classes=3)
    logits, masks = draw(1, 2, 5, 4).requires_grad_(), draw(1, 2, 5, 4, 4).requires_grad_()
    losses = compute_matching_losses(logits, masks, targets, config=config, generator=torch.Generator())
    sum(losses.values(), torch.tensor(0.0)).backward()
    values = {name: float(loss.detach()) for name, loss in losses.items()}
    assert values["loss_mask"] == values["loss_dice"] == 0
    expected = config.class_weight * F.cross_entropy(logits[0].flatten(0, 1), torch.full((10,), 3))
    assert values["loss_ce"] == pytest.approx(float(expected.detach()))
    assert masks.grad is not None and not masks.grad.any()


def test_the_same_generator_gives_the_same_losses() -> None:
    logits, masks = draw(1, 2, 6, 4), draw(1, 2, 6, 4, 4, seed=1)
    losses = [
        compute_matching_losses(logits, masks, TARGETS, config=SAN, generator=torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] and losses[0]["loss_mask"] != losses[2]["loss_mask"]


def test_uncertain_points_lie_where_the_mask_is_least_certain() -> None:
    from methods.blocks.mask_matching.points import draw_uncertain_points

    logits = torch.linspace(-8, 8, 16).expand(1, 16, 16)  # uncertain in the middle of each row
    config = PointSamplingConfig(points=40, oversampling=4, uncertain=0.5)
    points = draw_uncertain_points(logits, config=config, generator=torch.Generator().manual_seed(0))
    assert points.shape == (1, 40, 2)
    assert (points[0, :20, 0] - 0.5).abs().max() < 0.1 < (points[0, 20:, 0] - 0.5).abs().max()


@pytest.mark.parametrize("config", [MaskMatchingConfig(), SAN.model_copy(update={"sampling": None})])
def test_the_loss_of_a_pair_is_its_cost(config: MaskMatchingConfig) -> None:
    masks, targets = draw(1, 2, 8, 8), make_mask_targets(LABELS[:1], num_classes=3)
    costs = compute_costs(torch.zeros(1, 2, 4), masks, targets, config=config)[0]
    pixel_term, dice = compute_mask_losses(masks, targets, match((0, 0, 2), (0, 1, 1)), config=config)
    total = costs[0, 2] + costs[1, 1] + 2 * config.class_weight / 4
    assert float(pixel_term + dice) == pytest.approx(float(total) / 3, rel=1e-5)
