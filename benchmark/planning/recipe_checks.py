"""Checks of what a method file exports: types and names, so that a mistake is said when the file is loaded."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Recipe, Supervision, Traits
from benchmark.core.method_outputs import describe_value
from benchmark.data.catalog import list_datasets
from benchmark.utils.did_you_mean import explain_unknown_name


def find_problem_of_recipe(recipe: object) -> str:
    """Return what is wrong with a method file's RECIPE; empty if nothing is.

    Args:
        recipe: Value of RECIPE; None if the file has none.
    """
    if recipe is None:
        return "exports no RECIPE: end it with RECIPE = Recipe(...)"
    if not isinstance(recipe, Recipe):
        return f"has {describe_value(recipe)} as its RECIPE: end it with RECIPE = Recipe(...)"
    return next(_list_problems(recipe), "")


def _list_problems(recipe: Any) -> Iterator[str]:
    """Yield problems of a recipe, whose fields may have any type, as no one has checked the types of the file."""
    if not isinstance(recipe.title, str) or not recipe.title.strip():
        yield f"has the title {recipe.title!r}, expected a text: it is the name of the row in tables"
    if not isinstance(recipe.traits, Traits):
        yield f"has {recipe.traits!r} as traits, expected Traits(supervision=Supervision.SEEN_MASKS), for example"
    elif recipe.traits.supervision not in set(Supervision) or type(recipe.traits.supervision) is str:
        known = ", ".join(f"Supervision.{name}" for name in Supervision.__members__)
        meant = [f"Supervision.{one.name}" for one in Supervision if one == recipe.traits.supervision]
        expected = f"write {meant[0]}" if meant else f"expected one of {known}"
        yield f"has the supervision {recipe.traits.supervision!r}: {expected}"
    if not callable(recipe.build):
        yield f"has {recipe.build!r} as build, expected a function of a config and a split that returns the method"
    yield from _list_problems_of_tables(recipe)


def _list_problems_of_tables(recipe: Any) -> Iterator[str]:
    """Yield problems of variants, budgets and presets."""
    if not isinstance(recipe.variants, Mapping):
        yield (
            f"has {describe_value(recipe.variants)} as variants, expected a dict of configs by label: "
            "variants={'My method': MyConfig()}"
        )
    elif not recipe.variants:
        yield "has no variants: give its RECIPE at least one config, variants={'My method': MyConfig()}"
    else:
        yield from _list_wrong_values(recipe.variants, Config, kind="variant", example="MyConfig()")
    if not isinstance(recipe.budgets, Mapping):
        yield (
            f"has {describe_value(recipe.budgets)} as budgets, expected a dict of budgets by dataset: "
            "budgets={'*': Budget(iterations=1000)}"
        )
    elif not recipe.budgets:
        yield "has no budgets: give its RECIPE budgets={'*': Budget(iterations=1000)}"
    else:
        yield from _list_wrong_values(recipe.budgets, Budget, kind="budget", example="Budget(iterations=1000)")
        yield from _list_unknown_datasets(recipe.budgets, {"*", *list_datasets()}, kind="budget")
    if not isinstance(recipe.presets, Mapping):
        yield f"has {recipe.presets!r} as presets, expected values by key by dataset name"
    else:
        yield from _list_wrong_values(recipe.presets, Mapping, kind="preset", example="{'width': 8}")
        yield from _list_unknown_datasets(recipe.presets, set(list_datasets()), kind="preset")


def _list_unknown_datasets(values: Mapping[str, Any], known: Collection[str], *, kind: str) -> Iterator[str]:
    for name in values:
        if name not in known:
            yield f"has a {kind} for an unknown dataset: {explain_unknown_name('dataset', name, sorted(known))}"


def _list_wrong_values(values: Mapping[Any, Any], kind_of_value: type, *, kind: str, example: str) -> Iterator[str]:
    for name, value in values.items():
        if not isinstance(name, str):
            yield f"has a {kind} named {name!r}, expected a text"
        elif not name.strip():
            yield f"has a {kind} with an empty name, expected a text"
        if isinstance(value, type):
            yield f"has the class {value.__name__} as {kind} {name!r}, expected an instance: {value.__name__}()"
        elif not isinstance(value, kind_of_value):
            yield f"has {value!r} as {kind} {name!r}, expected a value such as {example}"
