"""Mistakes in what a method file exports are said when it is loaded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Recipe, Supervision, Traits
from benchmark.core.split import load_split
from benchmark.planning import method_setup
from benchmark.planning.method_setup import set_up_method
from benchmark.planning.recipe_checks import find_problem_of_recipe

TEXT_TRAITS = Traits(supervision="seen_masks")  # type: ignore[arg-type]
WRONG_TRAITS = Traits(supervision="masks")  # type: ignore[arg-type]  # as a method file may have it
RECIPE: Recipe[Any] = Recipe(
    title="T",
    paper="",
    traits=Traits(supervision=Supervision.SEEN_MASKS),
    variants={"a": Config()},
    build=lambda config, split: None,  # type: ignore[arg-type, return-value]
    budgets={"*": Budget()},
)


def test_a_recipe_without_mistakes_is_accepted() -> None:
    assert find_problem_of_recipe(RECIPE) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"title": ""}, "has the title '', expected a text"),
        ({"traits": "seen_masks"}, "has 'seen_masks' as traits, expected Traits(supervision=Supervision.SEEN_MASKS)"),
        ({"traits": WRONG_TRAITS}, "has the supervision 'masks': expected one of Supervision.NONE, "),
        ({"traits": TEXT_TRAITS}, "has the supervision 'seen_masks': write Supervision.SEEN_MASKS"),
        ({"variants": [Config()]}, "has a list of length 1 as variants, expected a dict"),
        ({"variants": {" ": Config()}}, "has a variant with an empty name"),
        ({"budgets": {"*": Budget(), "voc2012": Budget()}}, "budget for an unknown dataset: no dataset 'voc2012'; did"),
        ({"presets": {"toy_box": {}}}, "has a preset for an unknown dataset: no dataset 'toy_box'; did you mean 'toyb"),
        ({"build": None}, "has None as build, expected a function"),
        ({"official_model": None}, "has None as official_model, expected the name of a model"),
        ({"variants": {}}, "has no variants"),
        ({"variants": {"a": Config}}, "has the class Config as variant 'a', expected an instance: Config()"),
        ({"variants": {"a": {"width": 3}}}, "has {'width': 3} as variant 'a', expected a value such as MyConfig()"),
        ({"variants": {1: Config()}}, "has a variant named 1, expected a text"),
        ({"budgets": {}}, "has no budgets"),
        ({"budgets": {"*": 600}}, "has 600 as budget '*', expected a value such as Budget(iterations=1000)"),
        ({"presets": {"toybox": "width=8"}}, "has 'width=8' as preset 'toybox', expected a value such as"),
    ],
)
def test_a_mistake_is_named_with_what_was_expected(changes: dict[str, Any], message: str) -> None:
    assert message in find_problem_of_recipe(replace(RECIPE, **changes))


def test_a_missing_recipe_is_told_from_a_wrong_one() -> None:
    assert find_problem_of_recipe(None).startswith("exports no RECIPE")
    assert find_problem_of_recipe(1).startswith("has an int as its RECIPE")


def test_a_dataset_without_a_budget_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = replace(RECIPE, budgets={"voc12": Budget()})
    monkeypatch.setattr(method_setup, "load_recipe", lambda name: recipe)
    with pytest.raises(ValueError, match=r"T has budgets for voc12 and none for toybox: add one, or '\*' for the rest"):
        set_up_method("mine", load_split("toybox"), protocol="", overrides={})
