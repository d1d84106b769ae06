"""Checks of what a method file exports: types and names, so that a mistake is said when the file is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from benchmark.core.budget import Budget
from benchmark.core.method import Config, Recipe, Supervision, Traits
from benchmark.core.method_outputs import describe_value


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
        yield f"has the supervision {recipe.traits.supervision!r}, expected one of {known}"
    if not callable(recipe.build):
        yield f"has {recipe.build!r} as build, expected a function of a config and a split that returns the method"
    yield from _list_problems_of_tables(recipe)


def _list_problems_of_tables(recipe: Any) -> Iterator[str]:
    """Yield problems of variants, budgets and presets."""
    if not isinstance(recipe.variants, Mapping) or not recipe.variants:
        yield "has no variants: give its RECIPE at least one config, variants={'My method': MyConfig()}"
    else:
        yield from _list_wrong_values(recipe.variants, Config, kind="variant", example="MyConfig()")
    if not isinstance(recipe.budgets, Mapping) or not recipe.budgets:
        yield "has no budgets: give its RECIPE budgets={'*': Budget(iterations=1000)}"
    else:
        yield from _list_wrong_values(recipe.budgets, Budget, kind="budget", example="Budget(iterations=1000)")
    if not isinstance(recipe.presets, Mapping):
        yield f"has {recipe.presets!r} as presets, expected values by key by dataset name"
    else:
        yield from _list_wrong_values(recipe.presets, Mapping, kind="preset", example="{'width': 8}")


def _list_wrong_values(values: Mapping[Any, Any], kind_of_value: type, *, kind: str, example: str) -> Iterator[str]:
    for name, value in values.items():
        if not isinstance(name, str):
            yield f"has a {kind} named {name!r}, expected a text"
        if isinstance(value, type):
            yield f"has the class {value.__name__} as {kind} {name!r}, expected an instance: {value.__name__}()"
        elif not isinstance(value, kind_of_value):
            yield f"has {value!r} as {kind} {name!r}, expected a value such as {example}"
