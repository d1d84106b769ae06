from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from methods.blocks.clip_es import activation_maps
from methods.blocks.clip_es.activation_maps import ActivationMaps, Objective, compute_activation_maps
from tests.methods.blocks.dense_clip.tiny_clip import build_tiny_encoder, draw_classes

ENCODER = build_tiny_encoder()
TOKENS = torch.randn(1, 7, ENCODER.width, generator=torch.Generator().manual_seed(0))


def activate(classes: Tensor, *, objective: Objective = "probability") -> ActivationMaps:
    return compute_activation_maps(
        ENCODER, TOKENS, draw_classes(), grid=(2, 3), classes=classes, temperature=10.0, objective=objective
    )


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_gradients_do_not_depend_on_the_context_of_the_caller(context: Any) -> None:
    expected = activate(torch.arange(5))
    with context():
        actual = activate(torch.arange(5))
    assert expected.maps.amax(dim=1).gt(0.9).all()
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


def test_autocast_does_not_change_the_maps() -> None:
    expected = activate(torch.arange(5)).maps
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(activate(torch.arange(5)).maps, expected, rtol=0, atol=0)


def test_a_class_has_the_same_map_alone_and_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = activate(torch.arange(5)).maps
    torch.testing.assert_close(activate(torch.tensor([3])).maps[0], expected[3])
    monkeypatch.setattr(activation_maps, "MAX_GRADIENTS", 1)
    torch.testing.assert_close(activate(torch.arange(5)).maps, expected)


def test_maps_of_more_classes_than_dimensions_are_the_same() -> None:
    expected, count = activate(torch.arange(5)).maps, 1 + ENCODER.embed_dim // 5
    torch.testing.assert_close(activate(torch.arange(5).repeat(count)).maps, expected.repeat(count, 1))


def test_probabilities_are_those_of_the_mean_patch() -> None:
    dense = ENCODER.run_last_blocks(TOKENS, start=3)[0, 1:]
    pooled = F.normalize(dense.mean(dim=0), dim=0)
    expected = (10 * draw_classes() @ pooled).softmax(dim=0)
    torch.testing.assert_close(activate(torch.arange(5)).probabilities, expected)


def test_map_is_the_gradient_times_the_normalized_tokens() -> None:
    block = ENCODER.visual.transformer.resblocks[-1]
    features = block.ln_1(TOKENS).requires_grad_()
    attended = block.attn(features, features, features, need_weights=False)[0]
    tokens = TOKENS + attended
    pooled = F.normalize(
        (ENCODER.visual.ln_post(tokens + block.mlp(block.ln_2(tokens))) @ ENCODER.visual.proj)[0, 1:].mean(dim=0), dim=0
    )
    (gradient,) = torch.autograd.grad(draw_classes()[2] @ pooled, features)
    expected = (features[0, 1:] @ gradient[0, 1:].mean(dim=0)).clamp(min=0).detach()
    expected = (expected - expected.min()) / (expected - expected.min()).max()
    torch.testing.assert_close(activate(torch.tensor([2]), objective="cosine").maps[0], expected, rtol=0, atol=1e-5)


def test_encoder_has_no_gradients_after_activation() -> None:
    activate(torch.arange(5))
    assert all(parameter.grad is None for parameter in ENCODER.parameters())
