"""Combinations of options of the heads that make no sense."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.budget import Budget
from methods.blocks.heads import CshConfig, LinearConfig, MlpConfig

BUDGET = Budget(iterations=1)


@pytest.mark.parametrize("class_token", ["learned", None])
def test_a_class_token_that_no_patch_attends_to_is_refused(class_token: Any) -> None:
    with pytest.raises(ValueError, match=r"head\.class_token is .*, but with head\.attention=value .* no patch"):
        CshConfig(attention="value", class_token=class_token).check_plan(BUDGET)


@pytest.mark.parametrize(
    "options",
    [{"class_token": "mean feature"}, {"class_token": None, "blocks": 2}, {"class_token": None, "blocks": None}],
)
def test_the_value_path_goes_with_class_tokens_that_other_blocks_read(options: dict[str, Any]) -> None:
    CshConfig(attention="value", **options).check_plan(BUDGET)


@pytest.mark.parametrize("config", [LinearConfig, MlpConfig])
def test_a_tail_without_a_fitted_start_is_refused(config: Any) -> None:
    with pytest.raises(ValueError, match=r"head\.start_tail is 'full', but head\.start=random fits nothing"):
        config(start="random", start_tail="full").check_plan(BUDGET)
