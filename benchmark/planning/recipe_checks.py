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
    if recipe.convert_official is not None and not callable(recipe.convert_official):
        yield (
            f"has {recipe.convert_official!r} as convert_official, expected a function of the tensors of a published "
            "checkpoint and a method, or None"
        )
    if not isinstance(recipe.official_model, str):
        yield f"has {recipe.official_model!r} as official_model, expected the name of a model in checkpoints of mmseg"
    yield from _list_problems_of_tables(recipe)


def _list_problems_of_tables(recipe: Any) -> Iterator[str]:
    """Yield problems of variants, budgets and presets."""
    yield from _list_problems_of_table(recipe.variants, Config, kind="variant", entry="'My method': MyConfig()")
    yield from _list_problems_of_table(recipe.budgets, Budget, kind="budget", entry="'*': Budget(iterations=1000)")
    yield from _list_problems_of_table(
        recipe.presets, Mapping, kind="preset", entry="'toybox': {'width': 8}", may_be_empty=True
    )
    datasets = set(list_datasets())
    for kind, table, known in (("budget", recipe.budgets, {"*", *datasets}), ("preset", recipe.presets, datasets)):
        yield from _list_unknown_datasets(table if isinstance(table, Mapping) else {}, known, kind=kind)


def _list_problems_of_table(
    table: Any, value_type: type, *, kind: str, entry: str, may_be_empty: bool = False
) -> Iterator[str]:
    """Yield problems of one table of a recipe.

    Args:
        table: Table as given.
        value_type: Type of its values.
        kind: Name of one value.
        entry: Example of an entry, for messages.
        may_be_empty: Whether the table needs no entry.
    """
    example = f"{kind}s={{{entry}}}"
    if not isinstance(table, Mapping):
        yield f"has {describe_value(table)} as {kind}s, expected a dict: {example}"
    elif not table and not may_be_empty:
        yield f"has no {kind}s: give its RECIPE {example}"
    else:
        yield from _list_wrong_values(table, value_type, kind=kind, example=entry.partition(": ")[2])


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
