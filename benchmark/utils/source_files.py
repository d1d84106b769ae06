"""Python files as a run depends on them: what they compute, and which other files they import.

Files are read and never run. Imports are followed wherever they stand, in functions too, but not below
`if TYPE_CHECKING`. Calls such as `importlib.import_module("name")` count if the name is a literal; of computed names
nothing can be known.
"""

from __future__ import annotations

import ast
import hashlib
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

INIT = "__init__.py"
IMPORT_FUNCTIONS = ("import_module", "__import__")
"""Functions that import the module whose name is their first argument."""


@dataclass(frozen=True)
class Import:
    """One import.

    Attributes:
        level: Number of leading dots; 0 for an absolute import.
        module: Dotted name of the module; may be empty after dots.
        names: Names that are taken from the module; empty if the module itself is bound.
    """

    level: int
    module: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceFile:
    """A Python file.

    Attributes:
        digest: SHA-256 of the syntax tree without docstrings, in hex: comments and layout do not change it.
        imports: All imports of the file.
        exports: Import of each name that the file only passes on; empty if the file does anything else than that.
    """

    digest: str
    imports: tuple[Import, ...]
    exports: Mapping[str, Import] = field(default_factory=dict)


def read_source(path: Path) -> SourceFile:
    """Read a Python file, once per process unless its size or time changes.

    Raises:
        OSError: The file cannot be read.
    """
    stat = path.stat()
    return _read_unchanged_source(path, stat.st_size, stat.st_mtime_ns)


def find_imported_files(
    sources: Collection[Path], roots: Mapping[str, Path], *, through_exports: bool = False
) -> list[Path]:
    """Return Python files and all files that they import, directly or not, sorted.

    Args:
        sources: Files to start from.
        roots: Folder of each top-level package or module whose files are followed.
        through_exports: Whether a package that only passes names on counts as those of its modules that a name is taken
            from; otherwise as all modules that it imports.

    Raises:
        OSError: A file cannot be read.
    """
    found, waiting = set(sources), list(sources)
    followed = set[Import]()  # the absolute ones, which lead to the same files from everywhere
    while waiting:
        file = waiting.pop()
        imports = set(read_source(file).imports) - followed
        followed |= {item for item in imports if not item.level}
        for item in imports:
            new = set(_follow(file, item, roots, through_exports=through_exports)) - found
            found |= new
            waiting += new
    return sorted(found)


def digest_sources(paths: Iterable[Path], folder: Path) -> str:
    """Return the SHA-256, in hex, over the digests of Python files and their paths below a folder."""
    lines = (f"{path.relative_to(folder).as_posix()} {read_source(path).digest}\n" for path in paths)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


@lru_cache(maxsize=4096)
def _read_unchanged_source(path: Path, _size: int, _time_ns: int) -> SourceFile:
    content = path.read_bytes()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return SourceFile(hashlib.sha256(content).hexdigest(), ())
    imports = tuple(_list_imports(tree))
    return SourceFile(hashlib.sha256(_format(tree).encode()).hexdigest(), imports, _list_exports(tree))


@dataclass(frozen=True)
class _Place:
    """Place that a dotted name leads to.

    Attributes:
        folder: Folder of the last package.
        inits: Existing files of the packages on the way.
        module: File of the module; None if the name leads to a package.
    """

    folder: Path
    inits: tuple[Path, ...]
    module: Path | None = None


def _follow(file: Path, item: Import, roots: Mapping[str, Path], *, through_exports: bool) -> Iterator[Path]:
    """Yield the files below the roots that one import runs, without those that they import in turn."""
    place = _find_place(file, item, roots)
    if place is None:
        return
    inits, names = place.inits, () if place.module is not None else item.names
    exports = read_source(inits[-1]).exports if inits and through_exports else {}
    is_submodule = {name: (place.folder / f"{name}.py").is_file() or (place.folder / name).is_dir() for name in names}
    inner = [
        Import(1, name) if is_submodule[name] else exports[name]
        for name in names
        if is_submodule[name] or name in exports
    ]
    # otherwise the package itself is bound, or a name that it defines
    are_names_enough = place.module is not None or (bool(names) and len(inner) == len(names))
    for init in inits:
        if not (through_exports and read_source(init).exports and (init != inits[-1] or are_names_enough)):
            yield init
    if place.module is not None:
        yield place.module
    for further in inner:
        yield from _follow(place.folder / INIT, further, roots, through_exports=through_exports)


def _find_place(file: Path, item: Import, roots: Mapping[str, Path]) -> _Place | None:
    """Return the place of an import's module; None if it is not below the roots."""
    parts = item.module.split(".") if item.module else []
    if item.level:
        folder = file.parents[min(item.level, len(file.parents)) - 1]
    elif parts[0] in roots:
        folder = roots[parts[0]]
    else:
        return None
    inits = [] if parts else [folder / INIT]
    for part in parts:
        package, module = folder / part, folder / f"{part}.py"
        if module.is_file() and not (package / INIT).is_file():
            return _Place(folder, _keep_existing(inits), module)
        if not package.is_dir():
            break
        folder = package
        inits.append(folder / INIT)
    return _Place(folder, _keep_existing(inits))


def _keep_existing(files: Iterable[Path]) -> tuple[Path, ...]:
    return tuple(file for file in files if file.is_file())


def _list_imports(node: ast.AST) -> Iterator[Import]:
    if isinstance(node, ast.Import):
        yield from (Import(0, alias.name) for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield Import(node.level, node.module or "", tuple(alias.name for alias in node.names))
    elif isinstance(node, ast.If) and _is_type_checking(node.test):
        for statement in node.orelse:
            yield from _list_imports(statement)
    else:
        if isinstance(node, ast.Call):
            yield from _list_called_imports(node)
        for child in ast.iter_child_nodes(node):
            yield from _list_imports(child)


def _list_called_imports(call: ast.Call) -> Iterator[Import]:
    """Yield the import of a call such as `importlib.import_module("name")`; nothing if the name is no literal."""
    function = getattr(call.func, "id", getattr(call.func, "attr", ""))
    arguments = [*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "name")]
    name = getattr(arguments[0], "value", None) if function in IMPORT_FUNCTIONS and arguments else None
    if isinstance(name, str) and name.strip("."):
        module = name.lstrip(".")
        yield Import(len(name) - len(module), module)


def _is_type_checking(test: ast.expr) -> bool:
    return getattr(test, "id", getattr(test, "attr", "")) == "TYPE_CHECKING"


def _list_exports(tree: ast.Module) -> dict[str, Import]:
    """Return the imported names of a file that holds nothing but imports from modules and `__all__`; else nothing."""
    exports: dict[str, Import] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            for alias in statement.names:
                exports[alias.asname or alias.name] = Import(statement.level, statement.module or "", (alias.name,))
        elif not _is_docstring(statement) and not _assigns_all(statement):
            return {}
    return exports


def _assigns_all(statement: ast.stmt) -> bool:
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return len(targets) == 1 and getattr(targets[0], "id", "") == "__all__"


def _is_docstring(statement: ast.AST) -> bool:
    is_constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return is_constant and isinstance(statement.value.value, str)  # type: ignore[attr-defined]


def _format(value: object) -> str:
    """Return a syntax tree as a text that is the same in all versions of Python: `ast.dump` is not.

    Left out are positions, empty fields, and texts that stand alone as statements.
    """
    if isinstance(value, ast.AST):
        fields = (f"{name}={_format(item)}" for name, item in ast.iter_fields(value) if item not in (None, []))
        return f"{type(value).__name__}({','.join(fields)})"
    if isinstance(value, list):
        return f"[{','.join(_format(item) for item in value if not _is_docstring(item))}]"
    return repr(value)
