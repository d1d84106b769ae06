"""Methods are found and described without running them."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from benchmark.planning import registry
from benchmark.planning.registry import compute_source_digest, describe_method, list_methods, load_recipe
from benchmark.utils import installed_methods
from benchmark.utils.installed_methods import GROUP
from tests.engine.runs import METHOD

FILE = '''"""A summary.

More of it.
"""
from benchmark.core.budget import Budget
from benchmark.core.method import Config, Recipe, Supervision, Traits
VARIANTS = {"one": Config(), "two, three": Config()}
BUDGETS, TRAITS = {"*": Budget()}, Traits(Supervision.NONE)
RECIPE = Recipe(title="A Title", paper="", traits=TRAITS, variants=VARIANTS, build=print, budgets=BUDGETS)
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(FILE)
    return path


def test_a_file_is_described_from_its_text(file: Path) -> None:
    entry = describe_method(str(file))
    assert (entry.name, entry.title, entry.summary) == ("mine", "A Title", "A summary.")
    assert entry.variants == ("one", "two, three")
    assert entry.source == file


def test_describing_runs_nothing_of_the_file(file: Path) -> None:
    file.write_text(FILE + "\nraise SystemExit\n")
    assert describe_method(str(file)).title == "A Title"


@pytest.mark.parametrize("name", list_methods())
def test_the_description_equals_the_loaded_recipe(name: str) -> None:
    entry, recipe = describe_method(name), load_recipe(name)
    assert entry.variants == tuple(recipe.variants)
    assert entry.title == recipe.title
    assert entry.summary


def test_every_included_file_has_a_name() -> None:
    assert {"chimera_seg", "maskclip", "spnet"} <= set(list_methods())
    assert "blocks" not in list_methods()


def test_an_unknown_method_is_answered_with_the_nearest() -> None:
    with pytest.raises(KeyError, match="no method 'chimeraseg'; did you mean 'chimera_seg'"):
        load_recipe("chimeraseg")


def test_an_unknown_file_is_answered_with_the_nearest(file: Path) -> None:
    with pytest.raises(KeyError, match=r"did you mean '.*mine\.py'"):
        describe_method(str(file.with_name("nine.py")))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def broken(:", "not valid Python: invalid syntax .*line 1"),
        ("VARIANTS = {'a': 1}", "exports no RECIPE"),
        ("import nothing_of_this_name\nRECIPE = 1\nVARIANTS = {'a': 1}", "No module named 'nothing_of_this_name'"),
        ("RECIPE = 1\nVARIANTS = {'a': 1}", "has an int as its RECIPE"),
    ],
)
def test_a_broken_file_is_one_line(file: Path, text: str, message: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        load_recipe(str(file))
    assert "\n" not in str(caught.value) and str(file) in str(caught.value)


@pytest.mark.parametrize("text", ["RECIPE = 1", "RECIPE = 1\nVARIANTS = {}", "RECIPE = 1\nVARIANTS = {name: 1}"])
def test_variants_that_cannot_be_read_are_an_error(file: Path, text: str) -> None:
    file.write_text(text)
    with pytest.raises(ValueError, match="has no VARIANTS, a dict whose keys are literals"):
        describe_method(str(file))


def test_an_edited_file_is_run_again(file: Path) -> None:
    assert load_recipe(str(file)).title == "A Title"
    before = compute_source_digest(str(file))
    file.write_text(FILE.replace("A Title", "Another"))
    assert load_recipe(str(file)).title == "Another"
    assert compute_source_digest(str(file)) != before


def test_an_installed_method_is_found_without_being_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "plug_in_of_a_test"
    package.mkdir()
    (package / "__init__.py").write_text("raise SystemExit")
    (package / "method.py").write_text(FILE)
    point = EntryPoint("plugged", "plug_in_of_a_test.method", GROUP)
    monkeypatch.setattr(installed_methods, "entry_points", lambda **_: [point])
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "plugged" in list_methods()
    assert describe_method("plugged").title == "A Title"
    (package / "__init__.py").write_text("")
    assert load_recipe("plugged").title == "A Title"


def test_a_package_may_take_its_recipe_from_a_module_in_it(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("from .method import RECIPE\n")
    (tmp_path / "pack" / "method.py").write_text(FILE)
    entry, path = describe_method(f"{tmp_path}/pack/__init__.py"), f"{tmp_path}/pack/__init__.py"
    assert (entry.name, entry.title, entry.summary) == ("pack", "A Title", "A summary.")
    assert load_recipe(path).title == "A Title"


def test_a_neighbor_that_hides_an_installed_package_is_named(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import numpy\nnumpy.ones(1)\n")
    (tmp_path / "numpy.py").write_text("")
    with pytest.raises(ValueError, match=r"AttributeError in mine\.py:2 .*; numpy\.py next to it hides the installed"):
        load_recipe(str(tmp_path / "mine.py"))


def test_included_files_have_no_digest_of_their_own() -> None:
    assert compute_source_digest("spnet") == ""
    assert len(compute_source_digest(METHOD)) == 64


def test_listing_does_not_import_torch() -> None:
    code = (
        "import sys; from benchmark.planning.registry import describe_method, list_methods;"
        "[describe_method(name) for name in list_methods()];"
        "sys.exit('torch' in sys.modules or 'pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=registry.METHODS.parent, check=False).returncode == 0
