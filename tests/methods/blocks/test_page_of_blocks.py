"""The page of the blocks: it has every block, and its examples run."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from methods import blocks

FOLDER = Path(blocks.__file__).parent
EXPORTED = ("bodies", "class_embeddings", "clip", "heads")
"""Packages of which `methods.blocks` itself exports what methods need."""
PACKAGES = [
    import_module(f"methods.blocks.{file.parent.name}")
    for file in sorted(FOLDER.glob("*/__init__.py"))
    if file.parent.name not in EXPORTED
]
LOOSE = ("ConditionedEncoder", "EmbeddingBank", "ReplacementConfig", "TrainedTextBank", "take_text_encoder")
"""Blocks that no package exports."""

PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.startswith("| `")]
EXAMPLES = [row[2].strip().strip("`") for row in ROWS]


@pytest.fixture(scope="module")
def names() -> dict[str, Any]:
    """Names that the examples define, and those that they begin with."""
    names: dict[str, Any] = {}
    (start,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    for line in [start, *EXAMPLES]:
        exec(line, names)
    return names


def test_every_block_is_on_the_page_and_nothing_else_is() -> None:
    listed = [name for row in ROWS for name in re.findall(r"`(\w+)`", row[0])]
    names = {name for package in (blocks, *PACKAGES) for name in package.__all__}  # packages export those of others
    assert sorted(listed) == sorted(names | {*LOOSE})


def test_every_block_has_a_description_and_an_example_that_names_it() -> None:
    for row in ROWS:
        assert len(row) == 3 and row[1].strip().endswith(".")
        assert any(name in row[2] or name in ("ClassEmbeddings", "Tail") for name in re.findall(r"`(\w+)`", row[0]))


def test_the_examples_run_and_have_the_shapes_of_the_page(names: dict[str, Any]) -> None:
    num_seen, dimension = len(names["split"].seen), names["encoder"].embed_dim
    assert tuple(names["logits"].shape) == (2, num_seen, 4, 4)
    assert tuple(names["vectors"].shape) == (2, dimension)
    assert tuple(names["patches"].shape) == (2, names["encoder"].width, 4, 4)
    assert tuple(names["same"].shape) == (2, num_seen, dimension)
    assert {name: value.ndim for name, value in names["losses"].items()} == {"loss_cross_entropy": 0, "loss_dice": 0}
    assert [tuple(scores["sem_seg"].shape) for scores in names["predictions"]] == [(3, 32, 32)] * 2
    assert tuple(names["dense"].shape[:2]) == (2, dimension)
