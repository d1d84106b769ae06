"""Which way imports go and how large things get: read from the syntax trees, so nothing of the project is imported."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BASE = "attempts cache dotted files frozen lock memory prompts protocol require resident stopping suggest trace"
VALUES = f"{BASE} run seeding split types"
COUNTED = f"{VALUES} evaluation stats"
TRAINED = f"{COUNTED} coarse data method"

# What a part may import of the project besides itself. Names without a folder are parts of `benchmark`.
ALLOWED = {
    BASE: BASE,
    "seeding types": "",
    "split": BASE,
    "run": BASE,
    "coarse": f"{BASE} types",
    "evaluation": f"{BASE} coarse split types",
    "stats": f"{BASE} evaluation",
    "data": f"{BASE} seeding split types",
    "method": f"{BASE} seeding split types",
    "methods.blocks": f"{BASE} coarse method seeding split types",
    "methods": f"{BASE} method seeding split types methods.blocks",
    "registry": f"{BASE} method run split",
    "resolve": f"{TRAINED} registry selftraining sliding",
    "selftraining sliding": f"{BASE} coarse method split types",
    "environment": VALUES,
    "cost engine": TRAINED,
    "d2": f"{TRAINED} engine registry resolve",
    "study": f"{VALUES} resolve",
    "planning": f"{VALUES} data environment registry store study",
    "store": f"{COUNTED} study",
    "report": f"{COUNTED} store study",
    "runner": f"{TRAINED} cost d2 engine environment registry resolve store",
    "worker": f"{VALUES} endings engine environment runner store",
    "endings": f"{VALUES} environment store",
    "local": f"{VALUES} endings processes store",
    "processes": f"{VALUES} store warm",
    "warm": "lock worker",
    "warm_server": "engine runner worker",
    "pretrain": f"{TRAINED} methods.blocks",
    "slurm": f"{VALUES} endings local processes store",
    "slurm.testing": f"{VALUES} local method slurm store",
    "verify": f"{COUNTED} local store",
    "gallery predict": f"{TRAINED} engine predict report resolve store study",
    "doctor": f"{VALUES} data environment local registry slurm store",
    "cli": (
        f"{COUNTED} d2 data doctor engine environment gallery local method planning predict pretrain processes "
        "registry report resolve runner slurm store study verify"
    ),
    "__main__": "cli",
}

# Parts on the way of --help, list, status, table and show. Importing one imports none of HEAVY.
LIGHT = (
    f"{BASE} __main__ cli environment evaluation.counts evaluation.scores evaluation.sem_seg planning registry report "
    "run seeding slurm.overview slurm.settle slurm.submit slurm.summary split stats store study"
)
HEAVY = {"lightning_fabric", "open_clip", "segmentation_models_pytorch", "timm", "torch", "torchvision"}

FUNCTION_LINES, FILE_LINES, POSITIONAL = 60, 350, 3


@cache
def _trees() -> dict[str, ast.Module]:
    """Syntax trees by module name."""
    return {_module(path): ast.parse(path.read_text()) for path in _files("benchmark", "methods", "slurm")}


def _files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py"))


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def _full(part: str) -> str:
    return part if part.split(".")[0] in ("methods", "slurm") else f"benchmark.{part}"


def _is_within(module: str, parts: str) -> bool:
    return any(module == part or module.startswith(f"{part}.") for part in map(_full, parts.split()))


def _nodes(tree: ast.AST, *, on_import: bool) -> Iterator[ast.AST]:
    """All nodes below `tree`; with `on_import` only those that run when the module is imported."""
    for node in ast.iter_child_nodes(tree):
        is_later = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        is_typing = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        if not (on_import and (is_later or is_typing)):
            yield node
            yield from _nodes(node, on_import=on_import)


def _imports(tree: ast.Module, *, on_import: bool = False) -> Iterator[str]:
    """Names of the modules that a tree imports: `from a import b` gives a.b where that is a module, else a."""
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


def test_every_module_has_a_place_in_the_table() -> None:
    packages = {"benchmark", "methods", "slurm"}
    places = " ".join(ALLOWED)
    assert not [module for module in _trees() if module not in packages and not _is_within(module, places)]


def _places() -> list[tuple[str, str]]:
    return [(part, allowed) for parts, allowed in ALLOWED.items() for part in parts.split()]


@pytest.mark.parametrize(("part", "allowed"), _places())
def test_imports_go_one_way(part: str, allowed: str) -> None:
    inner = [other for other, _ in _places() if other.startswith(f"{part}.")]
    ours = [name for name in _trees() if _is_within(name, part) and not _is_within(name, " ".join(inner))]
    wrong = {
        f"{module} imports {name}"
        for module in ours
        for name in _imports(_trees()[module])
        if name.startswith((".", "benchmark", "methods", "slurm")) and not _is_within(name, f"{part} {allowed}")
    }
    assert not wrong


def test_a_method_file_imports_no_other_method_file() -> None:
    files = [module for module in _trees() if module.startswith("methods.") and module.count(".") == 1]
    others = {(module, name) for module in files for name in _imports(_trees()[module]) if name in files}
    assert not others


def _heavy(module: str) -> set[str]:
    return {name.split(".")[0] for name in _reached(module)} & HEAVY


def test_light_modules_do_not_import_torch() -> None:
    assert {name: _heavy(name) for name in _trees() if _is_within(name, LIGHT) and _heavy(name)} == {}


def test_an_import_of_torch_is_noticed_through_other_modules() -> None:
    assert "torch" in _heavy("benchmark.engine.base")


def test_only_its_own_room_and_a_body_import_detectron2() -> None:
    files = {module for module, tree in _trees().items() if any("detectron2" in name for name in _imports(tree))}
    assert {module for module in files if not _is_within(module, "d2 methods.blocks.d2")} == set()


def test_method_files_import_nothing_heavy_but_torch() -> None:
    files = [name for name in _trees() if name.startswith("methods.") and name.count(".") == 1]
    assert {name: _heavy(name) - {"torch"} for name in files if _heavy(name) - {"torch"}} == {}


def test_only_the_command_line_prints() -> None:
    printers = {module for module, tree in _trees().items() for name, _ in _calls(tree) if name == "print"}
    assert {module for module in printers if not _is_within(module, "cli slurm.testing")} == set()


def test_torch_load_reads_tensors_and_nothing_that_runs() -> None:
    loads = [(module, call) for module, tree in _trees().items() for name, call in _calls(tree) if name == "torch.load"]
    assert not [module for module, call in loads if "weights_only=True" not in ast.unparse(call)]


def _functions() -> Iterator[tuple[str, ast.FunctionDef]]:
    for path in _files("benchmark", "methods", "slurm", "tests"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def test_no_file_holds_two_ideas() -> None:
    lines = {path: path.read_text().count("\n") for path in _files("benchmark", "methods", "slurm", "tests")}
    assert {path: count for path, count in lines.items() if count > FILE_LINES} == {}


def test_functions_stay_small() -> None:
    lines = {name: (node.end_lineno or 0) - node.lineno + 1 for name, node in _functions()}
    assert {name: count for name, count in lines.items() if count > FUNCTION_LINES} == {}


def test_public_functions_take_few_positional_parameters() -> None:
    names = {name: [arg.arg for arg in [*node.args.posonlyargs, *node.args.args]] for name, node in _functions()}
    exempt = ("tests/", "benchmark/cli/")  # there, parameters are options: nobody calls with positions
    public = {name: args for name, args in names.items() if not name.startswith(exempt) and " _" not in name}
    assert {name: args for name, args in public.items() if len({*args} - {"self", "cls"}) > POSITIONAL} == {}
