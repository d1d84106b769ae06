"""What is recorded of Detectron2, which may lie anywhere and rarely changes its version."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.store.environment import package_versions


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, *, code: str = "") -> str:
    """What is recorded of a Detectron2 in a folder."""
    package = ModuleType("detectron2")
    package.__file__ = str(folder / "detectron2" / "__init__.py")
    vars(package)["__version__"] = "0.6"
    Path(package.__file__).parent.mkdir(parents=True)
    Path(package.__file__).write_text(code)
    monkeypatch.setitem(sys.modules, "detectron2", package)
    return package_versions()["detectron2"]


def test_detectron2_is_recorded_only_once_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    assert "torch" in package_versions()
    assert "detectron2" not in package_versions()


def test_a_plain_tree_is_known_by_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = {"one": "a = 1", "same": "a = 1", "other": "a = 2"}
    found = {name: load(tmp_path / name, monkeypatch, code=code) for name, code in trees.items()}
    assert found["one"].startswith("0.6 sources ")
    assert found["one"] == found["same"] != found["other"]


def test_a_checkout_is_known_by_its_commit_and_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    words = ["git", "-C", str(tmp_path), "rev-parse", "HEAD"]
    head = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    assert load(tmp_path, monkeypatch) == f"0.6 {head}+"


def test_what_lies_in_a_checkout_of_something_else_is_known_by_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    assert load(tmp_path / "site-packages", monkeypatch).startswith("0.6 sources ")
