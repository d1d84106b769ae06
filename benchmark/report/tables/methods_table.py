"""Table of methods for the page on methods, made from their recipes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from benchmark.report.tables.headers import describe_supervision

if TYPE_CHECKING:
    from benchmark.core.method import Recipe

ARXIV = re.compile(r"arXiv (\d{4}\.\d{4,5})")
"""Identifier of a paper in a citation."""


def format_methods(recipes: Mapping[str, Recipe[Any]]) -> str:
    """Return methods as a Markdown table, sorted by kind of supervision and title.

    Args:
        recipes: Name for commands to recipe.
    """
    lines = [_format_row(name, recipe) for name, recipe in sorted(recipes.items(), key=_get_order)]
    header = "| method | supervision | official code, or what differs | passes of each image | variants | cite |"
    return "\n".join([header, "|---|---|---|---|---|---|", *lines])


def _get_order(item: tuple[str, Recipe[Any]]) -> tuple[int, str]:
    recipe = item[1]
    supervision = recipe.traits.supervision
    return list(type(supervision)).index(supervision), recipe.title.lower()


def _format_row(name: str, recipe: Recipe[Any]) -> str:
    traits = recipe.traits
    title = f"{recipe.title}: [`{name}`]({name}.py)"
    source = traits.reconstruction or "official code"
    cells = [title, describe_supervision(traits.supervision.value), source, traits.cost, str(len(recipe.variants))]
    return f"| {' | '.join([*cells, _link_paper(recipe.paper)])} |"


def _link_paper(citation: str) -> str:
    """Return a citation in which the identifier of arXiv is a link."""
    return ARXIV.sub(r"[arXiv \1](https://arxiv.org/abs/\1)", citation)
