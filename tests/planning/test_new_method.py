"""Starting files of new methods: they keep the contract, and names that would hide something are refused."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from benchmark.contract.check import check_variant, make_subjects
from benchmark.contract.rule import RuleState
from benchmark.planning.new_method import check_new_name, fill_template, write_new_method
from benchmark.planning.registry import describe_method


def _list_classes(name: str) -> list[str]:
    return [node.name for node in ast.parse(fill_template(name)).body if isinstance(node, ast.ClassDef)]


def test_every_variant_of_a_starting_file_keeps_the_contract(tmp_path: Path) -> None:
    path = write_new_method("my_method", tmp_path / "new")
    for subject in make_subjects(str(path)):
        outcomes = check_variant(subject)
        assert [outcome for outcome in outcomes if outcome.state is RuleState.BROKEN] == []


def test_the_name_is_in_the_title_the_classes_and_the_first_line(tmp_path: Path) -> None:
    entry = describe_method(str(write_new_method("open_seg2", tmp_path)))
    assert (entry.title, entry.variants) == ("Open seg2", ("Open seg2", "3x3 window"))
    assert entry.summary.startswith("Open seg2: ")
    assert _list_classes("open_seg2") == ["OpenSeg2Config", "OpenSeg2Method"]


def test_no_class_has_the_name_of_an_imported_one() -> None:
    assert _list_classes("clip") == ["MyClipConfig", "MyClipMethod"]


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("x = 1\n")
    with pytest.raises(FileExistsError):
        write_new_method("mine", tmp_path)
    assert (tmp_path / "mine.py").read_text() == "x = 1\n"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("my-method", "'my-method' is no name for a Python module: .* try my_method"),
        ("my method.py", "try my_method"),
        ("new ünï", "try new_uni"),
        ("test", "'test' is a module of Python itself"),
        ("3d", "no name for a Python module: use letters, digits and underscores"),
        ("class", "no name for a Python module"),
        ("_hidden", "no name for a Python module"),
        ("random", "a module of Python itself"),
        ("spnet", "a registered method: choose another name, such as spnet_2"),
        ("torch", "an installed package, which the file would hide"),
        ("methods", "an installed package"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused_with_the_reason(name: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_new_name(name)
