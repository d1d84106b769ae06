"""Backbones and extra models that the included methods declare."""

from __future__ import annotations

import pytest

from benchmark.planning.method_setup import resolve_method
from benchmark.planning.registry import list_methods, load_recipe

EXTRA = {
    "cliper/finer by DINO": ("DINO ViT-B/16",),
    "proxyclip/ProxyCLIP": ("DINO ViT-B/8",),
    "proxyclip/DINO of patches of 16": ("DINO ViT-B/16",),
    "proxyclip/DINOv2": ("DINOv2 ViT-B/14 with registers",),
    "proxyclip/no shift": ("DINO ViT-B/8",),
    "proxyclip/shift and scale of CorrCLIP": ("DINO ViT-B/8",),
}


@pytest.mark.parametrize("name", list_methods())
def test_every_variant_says_its_backbone(name: str) -> None:
    assert all(config.describe_backbone() for config in load_recipe(name).variants.values())


def test_only_variants_with_a_proxy_have_an_extra_model() -> None:
    recipes = {name: load_recipe(name) for name in list_methods()}
    found = {
        f"{name}/{label}": models
        for name, recipe in recipes.items()
        for label, config in recipe.variants.items()
        if (models := (*recipe.traits.extra_models, *config.describe_extra_models()))
    }
    assert found == EXTRA


def test_on_toybox_the_toy_networks_are_named() -> None:
    assert resolve_method("proxyclip", split="toybox").config.describe_extra_models() == ("toy ResNet",)
    assert resolve_method("spnet", split="toybox").config.describe_backbone() == (
        "toy CLIP ViT-8",
        "toy ResNet DeepLabV3",
    )
