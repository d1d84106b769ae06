"""Selective Global Distillation."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmark.core.method import StepContext
from methods.blocks.distillation import (
    Selection,
    SelectiveGlobalDistillation,
    SgdConfig,
    count_selected,
    weigh_positions,
)


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_selection_shrinks_from_keep_start_to_keep_end() -> None:
    config = SgdConfig(keep_start=1.0, keep_end=0.25)
    counts = [count_selected(config, progress=step / 10, positions=64) for step in range(11)]
    assert counts[0] == 64
    assert counts[-1] == 16
    assert counts == sorted(counts, reverse=True)


def test_schedules_follow_their_formulas() -> None:
    linear = SgdConfig(keep_start=1.0, keep_end=0.2, schedule="linear")
    cosine = SgdConfig(keep_start=1.0, keep_end=0.2, schedule="cosine")
    assert count_selected(linear, progress=0.25, positions=1000) == 800
    assert count_selected(cosine, progress=0.25, positions=1000) == round(
        1000 * (1 - 0.8 * (1 - math.cos(math.pi / 4)) / 2)
    )


def test_top_selects_exactly_the_positions_most_similar_to_the_cls_token() -> None:
    dense, cls = unit(3, 20, 8), unit(3, 8, seed=1)
    weights = weigh_positions(dense, cls, select="top", num_selected=[5] * 3, generator=torch.Generator())
    similarity = [[float(dense[b, n] @ cls[b]) for n in range(20)] for b in range(3)]
    for row, selected in zip(similarity, weights, strict=True):
        best = sorted(range(20), key=lambda n: -row[n])[:5]
        assert sorted(selected.nonzero().flatten().tolist()) == sorted(best)


@pytest.mark.parametrize("select", ["top", "random", "bottom", "soft"])
def test_weights_of_an_image_sum_to_one(select: Selection) -> None:
    weights = weigh_positions(
        unit(2, 9, 4), unit(2, 4, seed=1), select=select, num_selected=[3, 3], generator=torch.Generator()
    )
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))


def test_soft_attention_weighs_vectors_whose_entries_are_about_one() -> None:
    """With D = 16, CLS·F/√D is 4 for the CLS token itself and 0 for an orthogonal vector."""
    dense = torch.eye(16)[:2].unsqueeze(0)
    weights = weigh_positions(dense, dense[:, 0], select="soft", num_selected=[2], generator=torch.Generator())
    torch.testing.assert_close(weights, torch.tensor([[math.exp(4), 1.0]]) / (math.exp(4) + 1))


def test_random_selection_depends_only_on_the_iteration() -> None:
    def select(step_context: StepContext) -> Tensor:
        generator = step_context.generator("sgd", "pick")
        return weigh_positions(unit(2, 30, 4), unit(2, 4), select="random", num_selected=[3, 3], generator=generator)

    assert torch.equal(select(StepContext(iteration=5)), select(StepContext(iteration=5)))
    assert not torch.equal(select(StepContext(iteration=5)), select(StepContext(iteration=6)))


def test_the_first_batch_is_contrasted_only_with_itself() -> None:
    dense, cls = unit(4, 6, 8), unit(4, 8, seed=1)
    loss = SelectiveGlobalDistillation(SgdConfig(), dimension=8)(dense, cls, step_context=StepContext())
    logits = F.normalize(dense.mean(dim=1), dim=1) @ cls.T / 0.07
    torch.testing.assert_close(loss, F.cross_entropy(logits, torch.arange(4)))


def test_the_bank_keeps_the_newest_tokens() -> None:
    sgd = SelectiveGlobalDistillation(SgdConfig(bank=5), dimension=8)
    first, second = unit(3, 8, seed=1), unit(3, 8, seed=2)
    for cls in (first, second):
        sgd(unit(3, 6, 8), cls, step_context=StepContext())
    assert torch.equal(sgd.bank(), torch.cat([second, first[:2]]))


def test_the_student_gets_a_gradient_from_a_constant_teacher() -> None:
    dense = unit(4, 6, 8).requires_grad_()
    SelectiveGlobalDistillation(SgdConfig(), dimension=8)(dense, unit(4, 8), step_context=StepContext()).backward()
    assert dense.grad is not None
    assert dense.grad.abs().sum() > 0


@pytest.mark.parametrize("select", ["top", "random", "bottom", "soft"])
def test_only_valid_positions_are_selected(select: Selection) -> None:
    is_valid = torch.arange(9).expand(2, 9) < torch.tensor([[4], [9]])
    weights = weigh_positions(
        unit(2, 9, 4),
        unit(2, 4, seed=1),
        is_valid=is_valid,
        select=select,
        num_selected=[4, 9],
        generator=torch.Generator(),
    )
    assert torch.equal(weights > 0, is_valid)
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(2))


def test_the_loss_of_a_padded_map_is_that_of_the_map_without_padding() -> None:
    dense, cls, step_context = unit(2, 9, 8), unit(2, 8, seed=1), StepContext(iteration=1, iterations=3)
    is_valid = torch.arange(9).expand(2, 9) < 6
    padded = SelectiveGlobalDistillation(SgdConfig(), dimension=8)
    loss = padded(dense, cls, is_valid=is_valid, step_context=step_context)
    expected = SelectiveGlobalDistillation(SgdConfig(), dimension=8)(dense[:, :6], cls, step_context=step_context)
    torch.testing.assert_close(loss, expected)
