"""Combinations of options of the heads that make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.budget import Budget
from methods.blocks.clip import ClipConfig
from methods.blocks.heads import CshConfig, LinearConfig, MlpConfig, check_head_fits

BUDGET = Budget(iterations=1)


def test_a_learned_class_token_that_no_patch_attends_to_is_refused() -> None:
    with pytest.raises(ValueError, match=r"head\.class_token is .*, but with head\.attention=value .* no patch"):
        CshConfig(attention="value", class_token="learned").check_plan(BUDGET)


@pytest.mark.parametrize(
    "options",
    [
        {"class_token": "mean feature"},
        {"class_token": None},
        {"class_token": None, "blocks": 2},
        {"class_token": None, "blocks": None},
    ],
)
def test_the_value_path_goes_with_class_tokens_that_other_blocks_read(options: dict[str, Any]) -> None:
    CshConfig(attention="value", **options).check_plan(BUDGET)


@pytest.mark.parametrize("config", [LinearConfig, MlpConfig])
def test_a_tail_without_a_fitted_start_is_refused(config: Any) -> None:
    with pytest.raises(ValueError, match=r"head\.start_tail is 'full', but head\.start=random fits nothing"):
        config(start="random", start_tail="full").check_plan(BUDGET)


def test_what_a_clip_does_not_have_is_refused() -> None:
    siglip, eva = (ClipConfig(model=model, weights="random") for model in ("ViT-B-16-SigLIP", "EVA02-B-16"))
    check_head_fits(CshConfig(class_token=None), siglip)
    check_head_fits(LinearConfig(), siglip)
    with pytest.raises(
        ValueError, match=r"head\.class_token is 'mean feature', but ViT-B-16-SigLIP has no class token"
    ):
        check_head_fits(CshConfig(), siglip)
    with pytest.raises(ValueError, match=r"head\.block_weights is 'random', but open_clip builds .* through timm"):
        check_head_fits(CshConfig(block_weights="random"), eva)
