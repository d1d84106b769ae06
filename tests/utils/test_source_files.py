"""Python files are compared by what they compute, and imports are followed without running anything."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmark.utils.source_files import find_imported_files, read_source

BASE = '"""Doc."""\nimport os\n\n\ndef double(x):\n    """Double it."""\n    return 2 * x  # twice\n'


def digest(folder: Path, text: str) -> str:
    path = folder / f"{abs(hash(text))}.py"
    path.write_text(text)
    return read_source(path).digest


@pytest.mark.parametrize(
    ("old", "new"), [("Doc", "Text"), ("  # twice", ""), ("Double it", "Twice"), ("2 * x", "(2\n        * x)")]
)
def test_comments_docstrings_and_layout_do_not_count(tmp_path: Path, old: str, new: str) -> None:
    assert old in BASE and digest(tmp_path, BASE.replace(old, new)) == digest(tmp_path, BASE)


@pytest.mark.parametrize(("old", "new"), [("2 *", "3 *"), ("2 *", "2.0 *"), ("double", "twice"), ("import os\n", "")])
def test_everything_else_counts(tmp_path: Path, old: str, new: str) -> None:
    assert digest(tmp_path, BASE.replace(old, new)) != digest(tmp_path, BASE)


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def names(folder: Path, *, through_exports: bool = False) -> set[str]:
    files = find_imported_files([folder / "m.py"], dict.fromkeys(("p", "q"), folder), through_exports=through_exports)
    return {path.relative_to(folder).as_posix() for path in files} - {"m.py"}


P = ("p/__init__.py", "p/a.py")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import q", {"q.py", *P}),
        ("def f():\n    from p import b\n", {"p/b.py", *P}),
        ("import p.b as b, json", {"p/b.py", *P}),
        ("if TYPE_CHECKING:\n    import q\n", set()),
        ("import other, math", set()),
        ("import importlib\nX = importlib.import_module('q').X", {"q.py", *P}),
        ("from importlib import import_module\nimport_module(name='p.b')", {"p/b.py", *P}),
        ("__import__('q')", {"q.py", *P}),
        ("name = 'q'\n__import__(name)", set()),
    ],
)
def test_imports_are_followed_wherever_they_stand(tmp_path: Path, text: str, expected: set[str]) -> None:
    files = {"m.py": text, "q.py": "from p.a import X", "p/__init__.py": "from .a import X", "p/a.py": "", "p/b.py": ""}
    assert names(write(tmp_path, files)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("from p import X", {"p/a.py"}), ("from p import Y", {"p/b.py"}), ("from p import b", {"p/b.py"})],
)
def test_a_package_that_only_passes_names_on_stands_for_the_modules_of_these_names(
    tmp_path: Path, text: str, expected: set[str]
) -> None:
    init = '"""Doc."""\nfrom p.a import X\nfrom p.b import Y\n__all__ = ["X", "Y"]\n'
    folder = write(tmp_path, {"m.py": text, "p/__init__.py": init, "p/a.py": "X = 1", "p/b.py": "Y = 1"})
    assert names(folder, through_exports=True) == expected
    (folder / "m.py").write_text("import p")
    assert names(folder, through_exports=True) == {"p/__init__.py", "p/a.py", "p/b.py"}
