"""Training the toy CLIP."""

from __future__ import annotations

import math

import open_clip
import pytest
import torch
import torch.nn.functional as F

from methods.blocks.clip.assets import ASSETS, TOY_MODEL
from methods.blocks.clip.config import ClipConfig
from methods.blocks.clip.loading import load_clip
from methods.pretrain.schedule import scale_learning_rate
from methods.pretrain.toy_clip import ClipBudget, compute_contrastive_loss, encode_patches, train_toy_clip

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


def test_with_all_patches_and_the_full_tail_encoding_is_clips_own() -> None:
    model = load_clip(ClipConfig(model=TOY_MODEL, weights="random"))
    images, patches = torch.randn(2, 3, 64, 64), torch.arange(64).repeat(2, 1)
    own = F.normalize(model.encode_image(images), dim=-1)
    torch.testing.assert_close(encode_patches(model, images, patches=patches, tail="full"), own, rtol=0, atol=1e-5)


def test_dropped_patches_have_no_influence() -> None:
    model = load_clip(ClipConfig(model=TOY_MODEL, weights="random"))
    images, patches = torch.randn(1, 3, 64, 64), torch.arange(8)[None]  # the first row
    changed = torch.cat([images[:, :, :8], torch.randn(1, 3, 56, 64)], dim=2)
    encoded = [encode_patches(model, each, patches=patches, tail="reduced") for each in (images, changed)]
    assert torch.equal(*encoded) and not torch.equal(
        encoded[0], encode_patches(model, changed, patches=patches + 8, tail="reduced")
    )


def test_a_shorter_training_draws_no_more_images_than_it_sees() -> None:
    budget = ClipBudget().shorten(10)
    assert (budget.steps, budget.scenes, budget.portraits) == (10, 1280, 1280)
    assert ClipBudget().shorten(None) == ClipBudget()
    with pytest.raises(ValueError, match="--steps is 4001, and the included weights had 4000"):
        ClipBudget().shorten(4001)
