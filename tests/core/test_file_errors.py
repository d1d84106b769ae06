"""Errors in files that users write: splits, protocols, aliases and studies name the file and the line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.core.prompts import read_aliases
from benchmark.core.protocol import load_protocol
from benchmark.core.split import load_split
from benchmark.core.study import load_study

SPLIT = "dataset: toybox\nclasses: [sky, no, on]\nunseen: [no]\n"
STUDY = "title: T\nsplit: toybox\nrows: [spnet]\n"


def write(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def test_classes_may_be_called_no_and_on(tmp_path: Path) -> None:
    split = load_split(write(tmp_path, SPLIT))
    assert (split.classes, split.unseen) == (("sky", "no", "on"), ("no",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{SPLIT}unseen: [on]\n", "line 4: 'unseen' is given twice, first in line 3: remove one of them"),
        ("dataset: toybox\nclasses:\n- sky\n- null\nunseen: []\n", "line 4: .*expected a text; put it in quotes"),
        ("dataset: toybox\nclasses:\n- sky\n- true\nunseen: []\n", "line 4: .*expected a text; put it in quotes"),
        ("dataset: toybox\nclasses: [sky, 3]\nunseen: []\n", "line 2: .*expected a text; put it in quotes"),
    ],
)
def test_a_mistake_in_a_split_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"mine\.yaml is not a valid split: {message}"):
        load_split(write(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: [0, 010]", "line 4: 010 is not read alike everywhere"),
        ("seeds:\n- 0\n- wide", "line 6: .*expected a whole number"),
        ("seeds: [0, true]", "line 4: .*expected a whole number"),
        ("seeds: [0, 0]", "line 4: seeds: 0 is given more than once"),
        ("seeds: [0]\nsweep: {a: []}", "line 5: .*the sweep of a has no values"),
    ],
)
def test_a_mistake_in_a_study_is_named_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=rf"mine\.yaml is not a valid study: {message}"):
        load_study(write(tmp_path, f"{STUDY}{text}\n"))


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("like: plain\ngamma: wide\n", 2),
        ("gamma: 0.1\ndatasets:\n  toybox:\n    gamma: wide\n", 4),
        ("test:\n  short_side: 3\n  window: -1\n", 3),
    ],
)
def test_a_mistake_in_a_protocol_is_named_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    with pytest.raises(ValueError, match=rf"mine\.yaml is not a valid protocol on toybox: line {line}: "):
        load_protocol(write(tmp_path, text), dataset="toybox")


def test_an_alias_that_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    file = write(tmp_path, "sky: the sky\nno: a refusal\non: 3\n")
    with pytest.raises(ValueError, match=r"line 3: expected a class name and a text, found 'on': 3; put them in quote"):
        read_aliases(file)
