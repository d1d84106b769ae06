"""The page on methods lists every included method, as its recipe describes it."""

from __future__ import annotations

from typing import Any

import pytest

from benchmark.core.method import Recipe
from benchmark.planning.registry import METHODS, find_source, list_methods, load_recipe
from benchmark.report.tables.methods_table import format_methods

NAMES = [name for name in list_methods() if find_source(name).parent == METHODS]


@pytest.fixture(scope="module")
def recipes() -> dict[str, Recipe[Any]]:
    return {name: load_recipe(name) for name in NAMES}


def test_the_page_on_methods_has_the_table_of_their_recipes(recipes: dict[str, Recipe[Any]]) -> None:
    assert f"\n\n{format_methods(recipes)}\n\n" in (METHODS / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_included_method_declares_its_cost(name: str, recipes: dict[str, Recipe[Any]]) -> None:
    assert recipes[name].traits.cost


def test_methods_are_grouped_by_supervision_with_a_link_to_the_paper(recipes: dict[str, Recipe[Any]]) -> None:
    rows = format_methods({name: recipes[name] for name in ("chimera_seg", "maskclip")}).splitlines()[2:]
    assert rows[0].startswith("| MaskCLIP: [`maskclip`](maskclip.py) | no training | official code | CLIP once | 6 |")
    assert rows[1].endswith("| [arXiv 2506.22032](https://arxiv.org/abs/2506.22032) |")
