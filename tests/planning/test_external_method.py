"""External method files bring the modules next to them along, without sharing names or search paths."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from benchmark.planning.external_method import load_external_method
from benchmark.utils.external_sources import open_external_method


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / f"{name if name.startswith('__') else name.replace('__', '/', 1)}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder / "x.py"


def load(path: Path) -> ModuleType:
    return load_external_method(open_external_method(path))


@pytest.mark.parametrize(
    "text",
    [
        "import helper\nR = helper.V",
        "from helper import V as R",
        "import lib.inner\nR = lib.inner.V",
        "from lib import inner\nR = inner.V",
        "def late():\n    import helper\n    return helper.V\nR = late()",
    ],
)
def test_a_file_imports_its_neighbors(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, x=text, helper="V = 7", lib__inner="from helper import V")
    (tmp_path / "lib" / "__init__.py").write_text("")
    before = list(sys.path)
    assert load(path).R == 7
    assert sys.path == before and "helper" not in sys.modules and "lib" not in sys.modules


def test_files_of_a_package_import_each_other(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "__init__.py").write_text("")
    path = write(tmp_path / "p", x="from . import a\nfrom p.b import W\nR = a.V + W", a="V = 1", b="W = 2")
    assert load(path).R == 3


def test_helpers_of_one_name_in_two_folders_do_not_collide(tmp_path: Path) -> None:
    paths = [write(tmp_path / str(v), x="import helper\nR = helper.V", helper=f"V = {v}") for v in (1, 2)]
    assert [load(path).R for path in paths] == [1, 2]
    assert open_external_method(paths[0]).digest() != open_external_method(paths[1]).digest()


def test_an_edited_neighbor_is_run_again_and_is_another_method(tmp_path: Path) -> None:
    path = write(tmp_path, x="import helper\nR = helper.V", helper="V = 1")
    before = load(path).R, open_external_method(path).digest()
    write(tmp_path, helper="V = 2")
    assert before[0] == 1 and load(path).R == 2
    assert open_external_method(path).digest() != before[1]


def test_what_a_file_does_not_import_is_no_part_of_it(tmp_path: Path) -> None:
    path = write(tmp_path, x="import helper", helper="V = 1", other="V = 1")
    before = open_external_method(path).digest()
    write(tmp_path, other="V = 2", helper="V = 1  # a comment\n")
    assert open_external_method(path).digest() == before


def test_neighbors_do_not_hide_modules_of_python_or_of_this_package(tmp_path: Path) -> None:
    path = write(tmp_path, x="import json, benchmark\nR = json.dumps, benchmark.__path__", json="", benchmark="")
    assert load(path).R
    assert open_external_method(path).list_modules() == [path]


@pytest.mark.parametrize(
    "text", ["from sub.inner import V as R", "import sub.inner\nR = sub.inner.V", "from sub import inner\nR = inner.V"]
)
def test_a_folder_without_init_counts_like_a_package(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, x=text, sub__inner="V = 7")
    before = open_external_method(path).digest()
    assert load(path).R == 7 and "sub" not in sys.modules
    write(tmp_path, sub__inner="V = 8")
    assert load(path).R == 8 and open_external_method(path).digest() != before


def test_an_installed_package_precedes_a_folder_without_init(tmp_path: Path) -> None:
    path = write(tmp_path, x="from numpy import ones as R", numpy__other="V = 1")
    assert load(path).R is sys.modules["numpy"].ones
    assert open_external_method(path).list_modules() == [path]


def test_a_package_is_loaded_by_its_folder_and_its_files_are_its_code(tmp_path: Path) -> None:
    imports = "from .parts.net import A\nfrom pack.b import B\nimport b\nR = A + B + b.B"
    write(tmp_path / "pack", __init__=imports, b="B = 2", parts__net="from ..b import B as A", parts____init__="")
    source = tmp_path / "pack" / "__init__.py"
    assert load(source).R == 6 and "pack" not in sys.modules
    before = open_external_method(source).digest()
    (tmp_path / "pack" / "b.py").write_text("B = 3")
    assert load(source).R == 9 and open_external_method(source).digest() != before


@pytest.mark.parametrize("name", ["glob", "torch", "numpy", "__main__"])
def test_a_file_may_have_the_name_of_an_installed_module(name: str, tmp_path: Path) -> None:
    text = "import glob, numpy, torch\nR = glob.glob, numpy.ones, torch.ones"
    assert load(write(tmp_path, **{name: text}).with_name(f"{name}.py")).R
