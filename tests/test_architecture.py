"""Which way imports go and how large things get: read from the syntax trees, so nothing of the project is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

FLOORS = (
    "benchmark.utils",
    "benchmark.core",
    "benchmark.data benchmark.evaluation benchmark.published benchmark.wrappers",
    "benchmark.engine benchmark.store",
    "benchmark.planning benchmark.profiling benchmark.report",
    "benchmark.api benchmark.contract benchmark.d2 benchmark.execution benchmark.exchange benchmark.qualitative",
    "methods.blocks",
    "methods",
    "slurm",
    "benchmark.cli",
    "benchmark.__main__",
)
"""Packages, lowest first: a package imports itself and packages of lower floors, nothing beside or above it."""

LIGHT = (
    "benchmark.utils benchmark.core.study benchmark.core.run_spec benchmark.core.run_record benchmark.core.split "
    "benchmark.store benchmark.report benchmark.planning.plan_cache benchmark.planning.registry benchmark.cli "
    "benchmark.evaluation.counts benchmark.evaluation.scores benchmark.evaluation.stats benchmark.published "
    "slurm.status slurm.submit"
)
"""Modules on the way of --help, list, status, table and show. Importing one imports none of HEAVY."""

HEAVY = {"lightning_fabric", "numba", "open_clip", "segmentation_models_pytorch", "timm", "torch", "torchvision"}

STATUS = (
    "benchmark.cli.main benchmark.cli.status benchmark.core.plan benchmark.store.named_runs benchmark.store.row_labels "
    "benchmark.store.index.run_index slurm.status.run_status"
)
"""Modules on the way of status, which is asked for again and again. Importing one imports no numpy either."""

OURS = ("benchmark", "methods", "slurm")
FUNCTION_LINES, FILE_LINES, POSITIONAL = 50, 332, 3


@cache
def _trees() -> dict[str, ast.Module]:
    """Syntax trees by module name."""
    return {_module(path): _parse(path) for path in _files(*OURS)}


@cache
def _parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _is_within(module: str, parts: str) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in parts.split())


def _nodes(tree: ast.AST, *, on_import: bool) -> Iterator[ast.AST]:
    """All nodes below `tree`; with `on_import` only those that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        is_later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not (on_import and (is_later or is_typing)):
            yield node
            yield from _nodes(node, on_import=on_import)


@cache
def _imports(tree: ast.Module, *, on_import: bool = False) -> tuple[str, ...]:
    """Names of the modules that a tree imports: `from a import b` gives a.b where that is a module, else a."""
    return tuple(_find_imports(tree, on_import=on_import))


def _find_imports(tree: ast.Module, *, on_import: bool) -> Iterator[str]:
    for node in _nodes(tree, on_import=on_import):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = "." * node.level + (node.module or "")
            for alias in node.names:
                yield f"{package}.{alias.name}" if f"{package}.{alias.name}" in _trees() else package


def _reached(module: str) -> set[str]:
    """Every module, ours or not, that importing `module` imports."""
    reached: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += [name.rpartition(".")[0]] if "." in name else []
            waiting += _imports(_trees()[name], on_import=True) if name in _trees() else []
    return reached


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.Call]]:
    return ((ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call))


def _package_of(module: str) -> str:
    """The package of `FLOORS` that a module belongs to; the longest name wins."""
    fitting = [name for floor in FLOORS for name in floor.split() if _is_within(module, name)]
    return max(fitting, key=len, default="")


def _floor_of(package: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if package in floor.split())


def test_every_module_has_a_floor() -> None:
    assert [name for name in _trees() if not _package_of(name) and name not in ("benchmark", "methods", "slurm")] == []


@pytest.mark.parametrize("package", [name for floor in FLOORS for name in floor.split()])
def test_a_package_imports_only_itself_and_lower_floors(package: str) -> None:
    ours = [module for module in _trees() if _package_of(module) == package]
    pairs = {(module, name) for module in ours for name in _imports(_trees()[module]) if name.split(".")[0] in OURS}
    others = {(module, name) for module, name in pairs if _package_of(name) != package}
    wrong = {
        f"{module} imports {name}"
        for module, name in others
        if not _package_of(name) or _floor_of(_package_of(name)) >= _floor_of(package)
    }
    assert wrong == set()


def test_benchmark_holds_packages_and_its_public_interface() -> None:
    assert {path.name for path in (ROOT / "benchmark").glob("*.py")} == {"__init__.py", "__main__.py", "api.py"}


def _cycle(module: str, trail: tuple[str, ...], finished: set[str]) -> tuple[str, ...]:
    if module in trail:
        return (*trail[trail.index(module) :], module)
    if module not in finished:
        for name in _imports(_trees()[module]):
            found = _cycle(name, (*trail, module), finished) if name in _trees() else ()
            if found:
                return found
        finished.add(module)
    return ()


def test_no_module_imports_itself_by_way_of_others() -> None:
    finished: set[str] = set()
    assert [cycle for module in _trees() if (cycle := _cycle(module, (), finished))] == []


METHOD_FILES = [_module(path) for path in sorted(ROOT.glob("methods/*.py")) if path.name != "__init__.py"]


def _count_imports(module: str, package: str) -> int:
    """Number of import statements that name a package or a part of it."""
    statements = [ast.Module([node], []) for node in ast.walk(_trees()[module]) if isinstance(node, ast.ImportFrom)]
    return sum(any(_is_within(name, package) for name in _imports(statement)) for statement in statements)


@pytest.mark.parametrize("module", METHOD_FILES)
def test_a_method_file_imports_the_interface_once_and_blocks_at_most_three_times(module: str) -> None:
    ours = {name for name in _imports(_trees()[module]) if _is_within(name, " ".join(OURS))}
    assert {name for name in ours if not _is_within(name, "benchmark.api methods.blocks")} == set()
    assert _count_imports(module, "benchmark.api") == 1
    assert _count_imports(module, "methods.blocks") <= 3


def _heavy(module: str) -> set[str]:
    return {name.split(".")[0] for name in _reached(module)} & HEAVY


def test_light_modules_do_not_import_torch() -> None:
    assert {name: _heavy(name) for name in _trees() if _is_within(name, LIGHT) and _heavy(name)} == {}


def test_status_does_not_import_numpy() -> None:
    assert [name for name in _trees() if _is_within(name, STATUS) and "numpy" in _reached(name)] == []
    assert "numpy" in _reached("benchmark.core.study")


def test_an_import_of_torch_is_noticed_through_other_modules() -> None:
    assert "torch" in _heavy("benchmark.engine.base")


def test_only_its_own_room_and_a_body_import_detectron2() -> None:
    files = {
        module
        for module, tree in _trees().items()
        if any(name.split(".")[0] == "detectron2" for name in _imports(tree))
    }
    assert {module for module in files if not _is_within(module, "benchmark.d2 methods.blocks.bodies.d2")} == set()


def test_method_files_import_nothing_heavy_but_torch() -> None:
    assert {name: _heavy(name) - {"torch"} for name in METHOD_FILES if _heavy(name) - {"torch"}} == {}


def test_only_the_command_line_prints() -> None:
    printers = {module for module, tree in _trees().items() for name, _ in _calls(tree) if name == "print"}
    assert {module for module in printers if not _is_within(module, "benchmark.cli slurm.testing")} == set()


def test_torch_load_reads_tensors_and_nothing_that_runs() -> None:
    loads = [(module, call) for module, tree in _trees().items() for name, call in _calls(tree) if name == "torch.load"]
    assert not [module for module, call in loads if "weights_only=True" not in ast.unparse(call)]


class _Function(NamedTuple):
    """Place, length and positional parameters of a function."""

    name: str
    lines: int
    parameters: tuple[str, ...]


@cache
def _functions() -> tuple[_Function, ...]:
    nodes = ((node, path) for path in _files(*OURS, "tests") for node in ast.walk(_parse(path)))
    return tuple(_describe(node, path) for node, path in nodes if isinstance(node, ast.FunctionDef))


def _describe(node: ast.FunctionDef, path: Path) -> _Function:
    name = f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
    parameters = (argument.arg for argument in [*node.args.posonlyargs, *node.args.args])
    return _Function(name, (node.end_lineno or 0) - node.lineno + 1, tuple(parameters))


def test_no_file_holds_two_ideas() -> None:
    lines = {path: path.read_text().count("\n") for path in _files("benchmark", "methods", "slurm", "tests")}
    assert {path: count for path, count in lines.items() if count > FILE_LINES} == {}


def test_functions_stay_small() -> None:
    assert {function.name: function.lines for function in _functions() if function.lines > FUNCTION_LINES} == {}


def test_public_functions_take_few_positional_parameters() -> None:
    exempt = ("tests/", "benchmark/cli/")  # there, parameters are options, never passed by position
    public = [item for item in _functions() if not item.name.startswith(exempt) and " _" not in item.name]
    many = {item.name: item.parameters for item in public if len({*item.parameters} - {"self", "cls"}) > POSITIONAL}
    assert many == {}
