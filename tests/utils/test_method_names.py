"""Methods as users type them: by name, by file or by folder, with or without a variant."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.utils.method_names import INIT, is_method_path, name_method_file, split_method


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working folder, which holds the package `pack` and its subpackage `inner`."""
    monkeypatch.chdir(tmp_path)
    for folder in ("pack", "pack/inner", "plain"):
        (tmp_path / folder).mkdir()
        if folder != "plain":
            (tmp_path / folder / INIT).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("spnet", ("spnet", "")),
        ("spnet/a/b", ("spnet", "a/b")),
        ("x/y.py", ("x/y.py", "")),
        ("./y.py/no SGD", ("./y.py", "no SGD")),
        ("./pack", ("./pack/__init__.py", "")),
        ("./pack/", ("./pack/__init__.py", "")),
        ("./pack/a/b", ("./pack/__init__.py", "a/b")),
        ("./pack/inner/a", ("./pack/inner/__init__.py", "a")),
        ("./pack/__init__.py/a", ("./pack/__init__.py", "a")),
        ("pack/a", ("pack", "a")),
        ("./plain/a", ("./plain/a", "")),
    ],
)
def test_a_method_is_split_from_its_variant(text: str, expected: tuple[str, str], package: Path) -> None:
    assert split_method(text) == expected


def test_paths_are_told_from_names(package: Path) -> None:
    assert [is_method_path(text) for text in ("spnet", "a.py", "./pack", f"{package}/pack/x", "./plain", "pack")] == [
        False,
        True,
        True,
        True,
        False,
        False,
    ]


def test_a_package_has_the_name_of_its_folder(package: Path) -> None:
    assert [name_method_file(path) for path in ("a/b.py", "./pack/__init__.py", INIT)] == ["b", "pack", package.name]
