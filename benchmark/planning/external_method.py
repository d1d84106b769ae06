"""Running of method files outside of the package, with the modules next to them that they import.

`import helper` and `from . import helper` work in such a file as if its folder were on the search path. Neither
`sys.path` nor the names in `sys.modules` are shared: all modules of a file are loaded into a package of its own, whose
name contains the digest of their content. Two folders may each have a `helper.py`, and an edited module is run again.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from benchmark.utils.external_sources import PRIVATE_PREFIX, ExternalMethod
from benchmark.utils.source_files import INIT


def load_external_method(method: ExternalMethod) -> ModuleType:
    """Run the file of a method, or return the module if the same content was run before.

    Raises:
        Exception: The file cannot be run.
    """
    content = hashlib.sha256(str(method.source).encode())
    for path in method.list_modules():
        content.update(hashlib.sha256(path.read_bytes()).digest())
    package = f"{PRIVATE_PREFIX}{content.hexdigest()[:16]}"
    folders = method.source.parent.relative_to(method.root).parts
    stem = [] if method.source.name == INIT else [method.source.stem.replace(".", "_")]
    name = ".".join([package, *folders, *stem])
    _FINDER.add(package, _Location(name, method, method.roots))
    return importlib.import_module(name)


@dataclass(frozen=True)
class _Location:
    """Location of a private package.

    Attributes:
        module: Full name of the module of the method file.
        method: Method of that file.
        roots: Names that absolute imports look for in the private package.
    """

    module: str
    method: ExternalMethod
    roots: Mapping[str, Path]

    def make_private(self, name: str) -> str:
        """Return the name in the private package that an absolute import means; empty if it means another package."""
        is_package = self.method.source.name == INIT
        package = self.module if is_package else self.module.rpartition(".")[0]
        top, _, rest = name.partition(".")
        if top not in self.roots:
            return ""
        if self.roots[top] == self.method.source.parent:
            return f"{package}.{name}"
        return ".".join(filter(None, [self.module.partition(".")[0], rest]))


class _Finder(MetaPathFinder):
    """Finder of the modules of private packages."""

    def __init__(self) -> None:
        self._locations: dict[str, _Location] = {}

    def add(self, package: str, location: _Location) -> None:
        """Make a private package importable."""
        if self not in sys.meta_path:
            sys.meta_path.insert(0, self)
        self._locations[package] = location

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec of a module of a private package; None for all other modules."""
        location = self._locations.get(fullname.partition(".")[0])
        if location is None:
            return None
        spec = self._find(fullname, path, location)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(fullname, spec.loader.path, location)
        return spec

    def _find(self, fullname: str, path: Sequence[str] | None, location: _Location) -> ModuleSpec | None:
        root = location.method.root
        if fullname == location.module:
            return spec_from_file_location(fullname, location.method.source)
        if path is not None:
            return PathFinder.find_spec(fullname, path)
        if (root / INIT).is_file():
            return spec_from_file_location(fullname, root / INIT, submodule_search_locations=[str(root)])
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(root)]
        return spec


_FINDER = _Finder()


class _Loader(SourceFileLoader):
    """Loader that runs the file as it is now, with imports that know its neighbors."""

    def __init__(self, fullname: str, path: str, location: _Location) -> None:
        super().__init__(fullname, path)
        self._location = location

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """Refuse to serve as the key of cached bytecode, which an edit within one second would not renew."""
        raise OSError(path)

    def exec_module(self, module: ModuleType) -> None:
        """Run the file in a module."""
        module.__dict__["__builtins__"] = vars(builtins) | {"__import__": _make_import(self._location)}
        super().exec_module(module)


def _make_import(location: _Location) -> Callable[..., Any]:
    """Return `__import__` for the modules of a private package."""

    def _import_module(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        private = "" if level else location.make_private(name)
        if not private:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        if fromlist:
            return builtins.__import__(private, globals, locals, fromlist, 0)
        importlib.import_module(private)
        return sys.modules[location.make_private(name.partition(".")[0])]

    return _import_module
