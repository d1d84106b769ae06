"""Models whose features say which positions belong together."""

from __future__ import annotations

from typing import Any, Literal

import pytest
import torch

from benchmark.core.budget import Budget
from methods.blocks.dense_clip import proxy_models
from methods.blocks.dense_clip.proxy_models import TimmProxy, TimmProxyConfig

IMAGES = 255 * torch.rand(2, 3, 40, 56, generator=torch.Generator().manual_seed(0))


def build_tiny(features: Literal["tokens", "query+key"] = "tokens") -> TimmProxy:
    """Return a vision transformer of patches of 16 with random weights."""
    return TimmProxy(TimmProxyConfig(model="test_vit", weights="random", features=features)).eval()


def test_features_cover_the_whole_patches_of_an_image() -> None:
    assert build_tiny()(IMAGES).shape == (2, 64, 2, 3)


def test_random_weights_are_the_same_in_every_run_and_draw_nothing() -> None:
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = build_tiny()(IMAGES)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(build_tiny()(IMAGES), first)


def test_queries_and_keys_are_those_that_the_last_block_computes() -> None:
    proxy, kept = build_tiny("query+key"), []
    features = proxy(IMAGES)
    proxy.network.blocks[-1].attn.qkv.register_forward_hook(lambda layer, inputs, output: kept.append(output))
    proxy.features = "tokens"
    proxy(IMAGES)
    query, key, _ = kept[0][:, proxy.network.num_prefix_tokens :].chunk(3, dim=2)
    torch.testing.assert_close(features.flatten(2).transpose(1, 2), query + key)


def test_a_network_that_is_no_vision_transformer_is_refused() -> None:
    with pytest.raises(ValueError, match="'resnet18' is no vision transformer of timm"):
        TimmProxyConfig(model="resnet18", weights="random").check_plan(Budget(iterations=0))


def test_weights_that_cannot_be_had_are_refused_with_the_setting_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(proxy_models, "check_imagenet_weights", lambda name, **names: asked.update(names, name=name))
    TimmProxyConfig(model="vit_base_patch16_224.dino").check_plan(Budget(iterations=0))
    assert asked["name"] == "tu-vit_base_patch16_224.dino" and asked["setting"] == "dense.proxy.weights"
