"""Commands, links and paths in the documentation exist."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmark.cli.main import app
from benchmark.core.overrides import parse_overrides
from benchmark.core.split import load_split
from benchmark.planning.method_setup import resolve_method
from benchmark.planning.random_weights import use_random_weights

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted(
    path
    for folder in ("*", "benchmark/**/*", "methods/**/*", "results/**/*", "slurm/**/*", "splits/**/*")
    for path in ROOT.glob(f"{folder}.md")
)
WRITTEN_BY_HAND = [
    path for path in DOCUMENTS if not path.is_relative_to(ROOT / "results") or path.name in ("README.md", "tuning.md")
]
"""Documents that no command writes; in the others, a note is a line."""
PROSE_WIDTH = 124
"""Largest number of characters of a line of prose; a few beyond the 120 that are aimed at need no new line breaks."""
GLOBAL_OPTIONS = ("--data", "--runs")


def find_commands(text: str) -> Iterator[list[str]]:
    """Yield the words after `chimera-bench` of each command in a code block or in backticks."""
    for command in re.findall(r"(?:^|`)chimera-bench ([a-z-][^`\n]*)(?=`|$)", text, flags=re.MULTILINE):
        words = shlex.split(command.rstrip("\\"), comments=True)
        while words[0] in GLOBAL_OPTIONS:
            words = words[2:]
        if words[0] != "is":  # a sentence that begins with the program's name
            yield words


@cache
def get_program() -> Any:
    return typer.main.get_command(app)


def explain_mistake(words: list[str]) -> str:
    """Return what is wrong with a command; empty if nothing is."""
    command = get_program()
    while hasattr(command, "commands"):
        if not words or words[0] not in command.commands:
            return f"no command {words[:1]}"
        command, words = command.commands[words[0]], words[1:]
    options = {name for parameter in command.params for name in parameter.opts}
    unknown = [word for word in words if word.startswith("-") and word.partition("=")[0] not in options]
    return f"no option {unknown}" if unknown else ""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_in_a_document_exists(document: Path) -> None:
    commands = list(find_commands(document.read_text(encoding="utf-8")))
    mistakes = {" ".join(words): mistake for words in commands if (mistake := explain_mistake(words))}
    assert mistakes == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_that_a_document_links_exists(document: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []


def list_prose(text: str) -> list[str]:
    """Return the lines of a document that are in no table and no code block."""
    without_code = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    return [line for line in without_code.splitlines() if not line.startswith("|")]


@pytest.mark.parametrize("document", WRITTEN_BY_HAND, ids=lambda path: str(path.relative_to(ROOT)))
def test_prose_has_lines_of_a_readable_length(document: Path) -> None:
    lines = list_prose(document.read_text(encoding="utf-8"))
    assert [line for line in lines if len(line) > PROSE_WIDTH] == []


def test_wrong_commands_are_noticed() -> None:
    wrong = "`chimera-bench rnu x` and `chimera-bench --data DIR data check voc12 --part val`"
    assert [explain_mistake(words) for words in find_commands(wrong)] == ["no command ['rnu']", "no option ['--part']"]


def test_every_path_that_the_contributing_guide_names_exists() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:benchmark|methods|slurm|splits|tests)/[\w/.]*)`", text)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_example_of_an_import_leaves_out_the_unseen_classes_of_its_split() -> None:
    text = (ROOT / "benchmark/exchange/README.md").read_text(encoding="utf-8")
    (names,) = re.findall(r"^unseen = (\{.*?\})", text, flags=re.MULTILINE)
    assert ast.literal_eval(names) == set(load_split("toybox").unseen)


def test_the_training_on_a_new_dataset_needs_one_image_and_no_weight_files() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").replace("\\\n", " ")
    (words,) = [words for words in find_commands(text) if words[:2] == ["run", "spnet"]]
    pairs = list(pairwise(words))
    overrides = parse_overrides([value for option, value in pairs if option == "--set"])
    config = resolve_method("spnet", split="voc12", overrides=overrides).config
    assert ("--max-images", "1") in pairs and use_random_weights(config) == config
