"""Training the toy CLIP."""

from __future__ import annotations

import math

import open_clip
import pytest
import torch
import torch.nn.functional as F

from methods.blocks.clip.assets import ASSETS, TOY_MODEL
from methods.pretrain.schedule import scale_learning_rate
from methods.pretrain.toy_clip import ClipBudget, compute_contrastive_loss, train_toy_clip

TINY = ClipBudget(scenes=4, portraits=4, steps=3, batch=4)


def train(budget: ClipBudget) -> dict[str, torch.Tensor]:
    open_clip.add_model_config(ASSETS / f"{TOY_MODEL}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(TOY_MODEL)
    losses: list[float] = []
    train_toy_clip(model, budget=budget, workers=1, report=lambda step, loss: losses.append(loss))
    assert len(losses) == budget.steps
    return model.state_dict()


def test_training_twice_gives_the_same_weights() -> None:
    first, second = train(TINY), train(TINY)
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_without_equal_captions_the_loss_is_clips_own() -> None:
    images, texts = F.normalize(torch.randn(5, 8), dim=1), F.normalize(torch.randn(5, 8), dim=1)
    logits, own = 7 * images @ texts.T, torch.arange(5)
    expected = (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2
    torch.testing.assert_close(
        compute_contrastive_loss(images, texts, same=torch.eye(5), scale=torch.tensor(7.0)), expected
    )


def test_captions_of_the_same_classes_are_not_negatives() -> None:
    same = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    images = texts = F.normalize(torch.ones(2, 4), dim=1)
    loss = compute_contrastive_loss(images, texts, same=same, scale=torch.tensor(9.0))
    assert float(loss) == pytest.approx(math.log(2))


def test_the_learning_rate_rises_and_then_decays_to_zero() -> None:
    rates = [scale_learning_rate(step, steps=100) for step in range(100)]
    assert rates[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert rates[-1] < 0.001
