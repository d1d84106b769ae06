"""Recorded code versions: of this package, and of Detectron2, which rarely changes its version."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.store.environment import NOT_SOURCES, SOURCES, compute_code_digest, find_commit, list_package_versions
from benchmark.utils.paths import ROOT


def load(folder: Path, monkeypatch: pytest.MonkeyPatch, *, code: str = "") -> str:
    """Return what is recorded of a Detectron2 in a folder."""
    package = ModuleType("detectron2")
    package.__file__ = str(folder / "detectron2" / "__init__.py")
    vars(package)["__version__"] = "0.6"
    Path(package.__file__).parent.mkdir(parents=True)
    Path(package.__file__).write_text(code)
    monkeypatch.setitem(sys.modules, "detectron2", package)
    return list_package_versions()["detectron2"]


def test_detectron2_is_recorded_only_once_it_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "detectron2", None)
    assert "torch" in list_package_versions()
    assert "detectron2" not in list_package_versions()


def test_a_plain_tree_is_identified_by_its_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trees = {"one": "a = 1", "same": "a = 1", "other": "a = 2"}
    versions = {name: load(tmp_path / name, monkeypatch, code=code) for name, code in trees.items()}
    assert versions["one"].startswith("0.6 sources ")
    assert versions["one"] == versions["same"] != versions["other"]


def test_a_checkout_is_identified_by_its_commit_and_whether_it_was_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for words in (["init", "-q"], [*author, "commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True)
    words = ["git", "-C", str(tmp_path), "rev-parse", "HEAD"]
    head = subprocess.run(words, check=True, capture_output=True, text=True).stdout.strip()
    assert load(tmp_path, monkeypatch) == f"0.6 {head}+"


def test_a_package_in_a_checkout_of_something_else_is_identified_by_its_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["git", "-C", str(tmp_path), "init", "-q"], check=True)
    assert load(tmp_path / "site-packages", monkeypatch).startswith("0.6 sources ")


@pytest.mark.parametrize(
    ("name", "is_source"),
    [
        ("benchmark/core/a.py", True),
        ("benchmark/data/folders/sets/a.yaml", True),
        ("methods/blocks/a.safetensors", True),
        ("benchmark/report/a.py", False),
        ("benchmark/data/prepare/a.py", False),
        ("methods/pretrain/a.py", False),
        ("methods/a.txt", False),
    ],
)
def test_only_an_edit_of_a_source_changes_the_code_digest(tmp_path: Path, name: str, is_source: bool) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_text("1")
    digest = compute_code_digest.__wrapped__
    before = digest(tmp_path)
    path.write_text("2")
    assert (digest(tmp_path) != before) == is_source


def _is_source(path: Path) -> bool:
    return any(path.is_relative_to(ROOT / folder) for folder in SOURCES) and not any(
        path.is_relative_to(ROOT / folder) for folder in NOT_SOURCES
    )


def test_sources_import_only_the_store_and_the_api_from_elsewhere() -> None:
    sources = [path for folder in SOURCES for path in (ROOT / folder).rglob("*.py") if _is_source(path)]
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_bytes()))]
    modules = {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    files = {module: ROOT / f"{module.replace('.', '/')}.py" for module in modules}
    elsewhere = {module for module, path in files.items() if path.is_file() and not _is_source(path)}
    assert {".".join(module.split(".")[:2]) for module in elsewhere} == {"benchmark.store", "benchmark.api"}


def test_an_edit_since_the_commit_is_marked(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        names = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        subprocess.run(["git", "-C", str(tmp_path), *names, *arguments], check=True, capture_output=True)

    assert find_commit(tmp_path) == ""
    (tmp_path / "methods").mkdir()
    (tmp_path / "methods/a.py").write_text("1")
    for arguments in (["init"], ["add", "."], ["commit", "-m", "one"]):
        git(*arguments)
    assert len(find_commit(tmp_path.resolve())) == 40
    (tmp_path / "methods/b.py").write_text("2")
    assert find_commit(tmp_path.resolve()).endswith("+")
