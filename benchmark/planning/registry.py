"""Registry of methods: the folder `methods/`, in which every file is a method.

Files elsewhere, named by their path, are methods too, and so are entry points of installed packages in the group
"chimera_bench.methods". Methods are described from their syntax trees: listing them runs none of their code.
"""

from __future__ import annotations

import ast
import importlib
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from benchmark.planning.external_method import load_external_method
from benchmark.planning.method_import import shield_command
from benchmark.planning.missing_method import explain_missing_method
from benchmark.utils.did_you_mean import explain_missing_file
from benchmark.utils.external_sources import open_external_method
from benchmark.utils.installed_methods import find_module_file, list_entry_points, list_package_files
from benchmark.utils.method_names import name_method_file
from benchmark.utils.paths import ROOT
from benchmark.utils.source_files import INIT, digest_sources, read_source

if TYPE_CHECKING:
    from benchmark.core.method import Recipe

METHODS = ROOT / "methods"


@dataclass(frozen=True)
class MethodEntry:
    """Description of a method, made without running its file.

    Attributes:
        name: Name for commands; the stem of the file, or the name of the entry point.
        title: Name of the row in tables; the name for commands if the file does not state it in one literal.
        summary: First line of the file's docstring.
        variants: Labels of the variants in order; the first one is the method itself.
        source: Path of the file.
    """

    name: str
    title: str
    summary: str
    variants: tuple[str, ...]
    source: Path


def list_methods(folder: Path = METHODS) -> list[str]:
    """Return the names of all methods, sorted: files of the folder and installed entry points."""
    return sorted(_list_included(folder) | list_entry_points().keys())


def is_path(name: str) -> bool:
    """Return whether a method is given as a file and not by name."""
    return name.endswith(".py")


def find_source(name: str) -> Path:
    """Return the file of a method, given by name or by path; files of the folder precede entry points.

    Raises:
        KeyError: There is no such method; the message names the nearest.
        ValueError: An entry point leads to no file.
    """
    if is_path(name):
        path = Path(name).expanduser()
        if not path.is_file():
            raise KeyError(explain_missing_file("method file", name, "*.py"))
        return path
    if name in _list_included(METHODS):  # first: searching all installed packages is slow, and a grid asks for each row
        return METHODS / f"{name}.py"
    points = list_entry_points()
    if name not in points:
        raise KeyError(explain_missing_method("method", name, list_methods()))
    return find_module_file(points[name])


def simplify_name(name: str) -> str:
    """Return the registered name of a method that is given by the path of an included file; other names as given."""
    if not is_path(name):
        return name
    path = Path(name).expanduser().resolve()
    return path.stem if path.parent == METHODS and path.stem in _list_included(METHODS) else name


def compute_source_digest(name: str) -> str:
    """Return the SHA-256 of what an external method computes; empty for an included one.

    It covers the file and all modules that it brings along: those next to it that it imports, directly or not, and the
    whole package of an entry point. Comments and docstrings do not count.

    Raises:
        KeyError: There is no such method; the message names the nearest.
        ValueError: An entry point leads to no file.
    """
    files, folder = _list_brought_files(name)
    return digest_sources(files, folder) if files else ""


def list_own_files(name: str) -> list[Path]:
    """Return the absolute paths of a method's file and of all modules that an external method brings along.

    Raises:
        KeyError: There is no such method; the message names the nearest.
        ValueError: An entry point leads to no file.
    """
    files, _ = _list_brought_files(name)
    return [path.resolve() for path in files or [find_source(name)]]


def list_outside_imports(name: str) -> set[str]:
    """Return the packages that an external method imports and does not bring along; empty for an included one.

    Raises:
        KeyError: There is no such method; the message names the nearest.
        ValueError: An entry point leads to no file.
    """
    files, folder = _list_brought_files(name)
    own = set(open_external_method(find_source(name)).roots) if is_path(name) else {folder.name}
    imports = [item for file in files for item in read_source(file).imports if not item.level]
    return {item.module.partition(".")[0] for item in imports} - own


def _list_brought_files(name: str) -> tuple[list[Path], Path]:
    """Return the files of an external method and a folder that holds them all; no files for an included method."""
    source = find_source(name)
    if is_path(name):
        method = open_external_method(source)
        return method.list_modules(), method.root
    if source.parent == METHODS:
        return [], METHODS
    return list_package_files(list_entry_points()[name])


def _list_included(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py") if not path.name.startswith(("_", "."))}


def describe_method(name: str) -> MethodEntry:
    """Describe a method from its syntax tree.

    Raises:
        KeyError: There is no such method; the message names the nearest.
        ValueError: The file cannot be parsed, or has no RECIPE or no VARIANTS written as a dict with literal keys.
    """
    source = _find_recipe_file(name, find_source(name))
    tree = _parse(name, source)
    values = dict(_list_assignments(tree.body))
    if "RECIPE" not in values:
        raise ValueError(f"method file {source} exports no RECIPE: end it with RECIPE = Recipe(...)")
    stem = name_method_file(name) if is_path(name) else name
    summary = (
        (ast.get_docstring(_parse(name, find_source(name))) or ast.get_docstring(tree) or "").partition("\n")[0].strip()
    )
    variants = _read_literal_keys(values.get("VARIANTS"), source)
    return MethodEntry(stem, _read_title(values["RECIPE"]) or stem, summary, variants, source)


def list_variants(name: str) -> tuple[str, ...]:
    """Return the variants of a method in their order; none if its file is not here or cannot be read."""
    try:
        return tuple(describe_method(name).variants)
    except (KeyError, ValueError, OSError):
        return ()


def load_recipe(name: str) -> Recipe[Any]:
    """Run a method's file and return its recipe.

    Raises:
        KeyError: There is no such method; the message names the nearest.
        ValueError: The file cannot be run, or exports no RECIPE with variants.
    """
    from benchmark.planning.recipe_checks import find_problem_of_recipe  # not above: it needs torch, `list` does not

    source = find_source(name)
    try:
        with shield_command(source):
            module = _load_module(name, source)
    except BaseException as error:  # SystemExit, too: the file must not end this process
        if isinstance(error, KeyboardInterrupt) and not _is_raised_in(list_own_files(name), error):
            raise
        raise ValueError(_describe_error(name, source, error)) from error
    recipe: Recipe[Any] | None = getattr(module, "RECIPE", None)
    problem = find_problem_of_recipe(recipe)
    if problem or recipe is None:
        raise ValueError(f"method file {source} {problem}")
    return recipe


def _is_raised_in(files: Iterable[Path], error: BaseException) -> bool:
    """Return whether a `raise` statement in files raised an error, and not a key pressed while they ran."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return Path(frame.filename).resolve() in files and (frame.line or "").startswith("raise")


def _load_module(name: str, source: Path) -> ModuleType:
    if not is_path(name):
        module_name = f"methods.{name}" if source.parent == METHODS else list_entry_points()[name].module
        return importlib.import_module(module_name)
    return load_external_method(open_external_method(source))


def _parse(name: str, source: Path) -> ast.Module:
    try:
        return ast.parse(source.read_bytes(), filename=str(source))
    except (SyntaxError, ValueError) as error:
        raise ValueError(_describe_error(name, source, error)) from error


def _find_recipe_file(name: str, source: Path) -> Path:
    """Return the file that assigns RECIPE: the source itself, or the module next to it that it takes RECIPE from."""
    for statement in _parse(name, source).body:
        if not isinstance(statement, ast.ImportFrom) or "RECIPE" not in {alias.name for alias in statement.names}:
            continue
        module = (statement.module or "").removeprefix(f"{source.parent.name}.").replace(".", "/")
        candidates = [source.parent / f"{module}.py", source.parent / module / INIT]
        found = [path for path in candidates if path.is_file() and path != source]
        return _find_recipe_file(name, found[0]) if found else source
    return source


def _list_assignments(body: Iterable[ast.stmt]) -> Iterable[tuple[str, ast.expr]]:
    """Yield names and values of plain and annotated assignments."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets, value = statement.targets, statement.value
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets, value = [statement.target], statement.value
        else:
            continue
        yield from ((target.id, value) for target in targets if isinstance(target, ast.Name))


def _read_literal_keys(value: ast.expr | None, source: Path) -> tuple[str, ...]:
    keys = value.keys if isinstance(value, ast.Dict) else []
    labels = [key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)]
    if not labels or len(labels) < len(keys):
        raise ValueError(f"method file {source} has no VARIANTS, a dict whose keys are literals: the labels of rows")
    return tuple(labels)


def _read_title(recipe: ast.expr) -> str:
    keywords = recipe.keywords if isinstance(recipe, ast.Call) else []
    values = [keyword.value for keyword in keywords if keyword.arg == "title"]
    return next((str(value.value) for value in values if isinstance(value, ast.Constant)), "")


def _describe_error(name: str, source: Path, error: BaseException) -> str:
    """Return one line with the file and the line of an error within the method's own files."""
    if isinstance(error, SyntaxError):
        file = Path(error.filename).name if error.filename else source.name
        return f"method file {source} is not valid Python: {error.msg} ({file}, line {error.lineno})"
    if isinstance(error, ValueError) and type(error) is ValueError and "null bytes" in str(error):
        return f"method file {source} is not valid Python: {error}"
    from benchmark.store.exceptions import explain_exception  # not above: it needs pydantic, and `list` does not

    failure = explain_exception(error, method_files=list_own_files(name))
    hidden = open_external_method(source).list_hidden_packages() if is_path(name) else []
    hint = f"; {hidden[0]}.py next to it hides the installed package {hidden[0]}: rename it" if hidden else ""
    return f"method file {source} cannot be loaded: {failure.summary}{hint}"
