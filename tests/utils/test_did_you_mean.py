"""Answers to names and paths that stand for nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from benchmark.utils.did_you_mean import (
    SHOWN_NAMES,
    SHOWN_NEAR,
    explain_missing_file,
    explain_missing_yaml,
    explain_unknown_name,
    find_near_name,
    list_names,
)


def test_a_long_list_of_names_is_cut() -> None:
    names = [f"n{number}" for number in range(SHOWN_NAMES + 5)]
    line = explain_unknown_name("split", "zzz", names)
    assert line.endswith(f"n{SHOWN_NAMES - 1}, … and 5 more") and f"n{SHOWN_NAMES}," not in line


def test_of_many_names_the_nearest_are_listed() -> None:
    names = [f"row {number}" for number in range(SHOWN_NEAR + 5)]
    assert list_names("row 3", names[:SHOWN_NEAR]) == ", ".join(names[:SHOWN_NEAR])
    assert list_names("ROW 16", names).startswith("row 16, row 1, row 6, ")
    assert list_names("ROW 16", names).endswith(" and 5 more")


def test_names_with_commas_are_quoted_in_lists() -> None:
    names = ["no CSH, two-layer MLP", "no SGD"]
    assert explain_unknown_name("row", "x", names) == "no row 'x'. There are: 'no CSH, two-layer MLP', no SGD"
    assert list_names("x", names) == "'no CSH, two-layer MLP', no SGD"
    assert list_names("x", ["'a, b' on toybox"]) == "'a, b' on toybox"


def test_the_beginning_of_a_long_name_is_completed() -> None:
    known = ["Patch adapter with a wide window", "Patch adapter with depth"]
    assert find_near_name("patch", known) == known[1] and find_near_name("pa", known) is None


def test_what_lies_at_a_path_that_is_no_file_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("dir.yaml").mkdir()
    Path("loop.yaml").symlink_to("loop.yaml")
    os.mkfifo("pipe.yaml")
    kinds = {"dir": "a folder: give a file in it", "pipe": "neither a file nor a folder"}
    kinds["loop"] = "a symbolic link to loop.yaml, which leads to no file"
    for name, kind in kinds.items():
        line = explain_missing_file("study file", f"{name}.yaml", "*.yaml")
        assert line == f"no study file '{name}.yaml': it is {kind}"


def test_files_of_another_kind_are_not_suggested(tmp_path: Path) -> None:
    (tmp_path / "y6.yaml").write_text("title: T\nrows: [spnet]\n")
    missing = str(tmp_path / "y7.yaml")
    line = explain_missing_yaml("split", missing, (), key="classes")
    assert line == f"no split file {missing!r}: there is no split file *.y*ml in {tmp_path}"
    (tmp_path / "y8.yaml").write_text("name: y8\nclasses: [cat]\n")
    line = explain_missing_yaml("split", missing, (), key="classes")
    assert "did you mean" in line and "y8.yaml" in line and "y6.yaml" not in line
