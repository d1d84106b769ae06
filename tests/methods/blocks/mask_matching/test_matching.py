"""Hungarian matching: targets, costs and assignments."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from methods.blocks.mask_matching import (
    MaskMatchingConfig,
    PointSamplingConfig,
    compute_costs,
    make_mask_targets,
    match_queries,
    stack_mask_targets,
)

LABELS = torch.tensor([[[2, 2], [0, 255]], [[255, 255], [255, 255]]])
SAN = MaskMatchingConfig(
    class_weight=2, mask_weight=5, dice_weight=5, mask_term="bce", sampling=PointSamplingConfig(points=64)
)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_every_class_that_is_present_gives_one_mask() -> None:
    targets = make_mask_targets(LABELS, num_classes=4)
    assert targets.counts == (2, 0) and targets.total == 2 and targets.valid is None
    assert targets.classes[0].tolist() == [0, 2]
    assert targets.masks[0].tolist() == [[[False, False], [True, False]], [[True, True], [False, False]]]


def test_unlabeled_pixels_count_unless_they_are_ignored() -> None:
    targets = make_mask_targets(LABELS, num_classes=4, unlabeled="ignored")
    assert targets.valid is not None
    assert targets.valid.tolist() == [[[True, True], [True, False]], [[False, False], [False, False]]]


def test_stacked_targets_equal_those_of_labels() -> None:
    expected = make_mask_targets(LABELS, num_classes=4)
    masks = [torch.stack([LABELS[0] == 0, LABELS[0] == 2]), torch.zeros(0, 2, 2, dtype=torch.bool)]
    targets = stack_mask_targets([torch.tensor([0, 2]), torch.zeros(0, dtype=torch.long)], masks, size=(2, 2))
    assert targets.counts == expected.counts
    assert targets.classes.equal(expected.classes) and targets.masks.equal(expected.masks)


def test_costs_are_those_worked_out_by_hand() -> None:
    """One pixel, probability 1/2 inside and outside: focal 0.25 · 0.25 · ln 2 inside, and dice 1 - 2 / 2.5."""
    targets = make_mask_targets(torch.tensor([[[0]]]), num_classes=1)
    logits, masks = torch.zeros(1, 1, 2), torch.zeros(1, 1, 1, 1)
    ln_2 = 0.6931472
    focal = compute_costs(logits, masks, targets, config=MaskMatchingConfig())
    assert float(focal) == pytest.approx(-0.5 + 20 * 0.25 * 0.25 * ln_2 + (1 - 2 / 2.5))
    plain = compute_costs(logits, masks, targets, config=SAN.model_copy(update={"sampling": None}))
    assert float(plain) == pytest.approx(-2 * 0.5 + 5 * ln_2 + 5 * (1 - 2 / 2.5))


def test_a_query_is_matched_to_the_mask_that_it_predicts() -> None:
    labels = torch.tensor([[[0, 0, 1], [2, 2, 1]]])
    targets = make_mask_targets(labels, num_classes=3)
    masks = torch.full((1, 4, 2, 3), -9.0)
    for query, label in ((3, 0), (0, 1), (2, 2)):
        masks[0, query][labels[0] == label] = 9.0
    matches = match_queries(torch.zeros(1, 4, 4), masks, targets, config=MaskMatchingConfig())
    assert dict(zip(matches.queries.tolist(), matches.targets.tolist(), strict=True)) == {0: 1, 2: 2, 3: 0}


@pytest.mark.parametrize("config", [MaskMatchingConfig(), SAN], ids=["all pixels", "points"])
def test_the_order_of_queries_changes_no_assignment(config: MaskMatchingConfig) -> None:
    labels = torch.randint(0, 5, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    targets, logits, masks = make_mask_targets(labels, num_classes=4), draw(2, 9, 5), draw(2, 9, 4, 4, seed=1)
    order = torch.randperm(9, generator=torch.Generator().manual_seed(2))
    first = match_queries(logits, masks, targets, config=config, generator=torch.Generator().manual_seed(3))
    second = match_queries(
        logits[:, order], masks[:, order], targets, config=config, generator=torch.Generator().manual_seed(3)
    )
    pairs = set(zip(first.images.tolist(), first.queries.tolist(), first.targets.tolist(), strict=True))
    queries = order[second.queries].tolist()
    assert pairs == set(zip(second.images.tolist(), queries, second.targets.tolist(), strict=True))


def test_pixels_that_do_not_count_change_no_cost() -> None:
    valid = torch.zeros(1, 4, 4, dtype=torch.bool)
    valid[:, :, :2] = True
    labels = torch.tensor([[[0, 1, 0, 0]] * 4])
    other = labels.masked_fill(~valid, 1)
    masks = draw(1, 3, 4, 4)
    changed = torch.where(valid[:, None], masks, masks + 5)
    costs = [
        compute_costs(draw(1, 3, 3), maps, make_mask_targets(map_, num_classes=2).restrict(valid), config=config)
        for maps, map_, config in ((masks, labels, MaskMatchingConfig()), (changed, other, MaskMatchingConfig()))
    ]
    assert torch.allclose(costs[0], costs[1], atol=1e-12)


def test_more_masks_than_queries_leave_masks_over() -> None:
    targets = make_mask_targets(torch.arange(6).view(1, 2, 3), num_classes=6)
    matches = match_queries(draw(1, 2, 7), draw(1, 2, 2, 3), targets, config=MaskMatchingConfig())
    assert sorted(matches.queries.tolist()) == [0, 1] and len(set(matches.targets.tolist())) == 2


def test_sampling_without_a_generator_is_refused() -> None:
    targets = make_mask_targets(LABELS, num_classes=4)
    with pytest.raises(ValueError, match=r"give a torch\.Generator"):
        match_queries(draw(2, 3, 5), draw(2, 3, 2, 2), targets, config=SAN)


def test_many_sampled_points_cost_what_all_pixels_cost() -> None:
    labels = torch.randint(0, 2, (1, 8, 8), generator=torch.Generator().manual_seed(1))
    targets, logits = (
        make_mask_targets(labels.repeat_interleave(4, 1).repeat_interleave(4, 2), num_classes=2),
        draw(1, 3, 3),
    )
    masks = torch.nn.functional.interpolate(draw(1, 3, 2, 2, seed=1), size=(32, 32), mode="nearest")
    config = SAN.model_copy(update={"dice_weight": 0.0, "sampling": PointSamplingConfig(points=200_000)})
    sampled = compute_costs(logits, masks, targets, config=config, generator=torch.Generator().manual_seed(0))
    exact = compute_costs(logits, masks, targets, config=config.model_copy(update={"sampling": None}))
    assert torch.allclose(sampled, exact, atol=0.15)


def test_masks_that_fill_up_an_image_are_never_matched() -> None:
    targets = make_mask_targets(torch.tensor([[[0, 1]], [[1, 1]]]), num_classes=2)
    matches = match_queries(draw(2, 4, 3), draw(2, 4, 1, 2), targets, config=MaskMatchingConfig())
    assert targets.classes.shape == (2, 2) and matches.targets[matches.images == 1].tolist() == [0]
    swapped = replace(targets, classes=targets.classes.clone())
    swapped.classes[1, 1] = 1
    again = match_queries(draw(2, 4, 3), draw(2, 4, 1, 2), swapped, config=MaskMatchingConfig())
    assert again.queries.equal(matches.queries)
