"""Files of a method outside of the package: its own, and the modules next to it that it imports. None is run."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path

from benchmark.utils.source_files import INIT, digest_sources, find_imported_files, read_source

OWN_NAMES = frozenset({"benchmark", "methods", "slurm"})
PRIVATE_PREFIX = "_external_method_"
"""Beginning of the names of the packages that method files are loaded into, followed by a digest."""


@dataclass(frozen=True)
class ExternalMethod:
    """A method file and the folders that its imports are looked for in.

    Attributes:
        source: Absolute path of the file.
        root: Folder of the topmost package that the file lies in; its own folder if that is no package.
    """

    source: Path
    root: Path

    @cached_property
    def roots(self) -> dict[str, Path]:
        """Folder of each module and package that an absolute import may mean, by name.

        These are the neighbors of the file, which precede installed packages but neither Python's own nor this one,
        and the topmost package itself. As everywhere in Python, installed packages precede folders without a file
        `__init__.py`. A method file that has the name of an installed package does not hide it from itself.
        """
        neighbors = [path.stem for path in self.source.parent.glob("*.py")]
        neighbors += [path.name for path in self.source.parent.iterdir() if _is_package(path)]
        folders = dict.fromkeys(neighbors, self.source.parent)
        if (self.root / INIT).is_file():
            folders.setdefault(self.root.name, self.root.parent)
        excluded = OWN_NAMES | sys.stdlib_module_names | {INIT.removesuffix(".py")}
        if self.source.name != INIT and _is_installed(self.source.stem):
            excluded |= {self.source.stem}
        return {name: folder for name, folder in folders.items() if name not in excluded}

    def list_hidden_packages(self) -> list[str]:
        """Return the names of installed packages that the method's modules import and that a neighbor hides."""
        imports = [item.module for file in self.list_modules() for item in read_source(file).imports if not item.level]
        names = {module.partition(".")[0] for module in imports}
        return sorted(name for name in names & self.roots.keys() if _is_installed(name))

    def list_modules(self) -> list[Path]:
        """Return the file and all modules that it brings along, sorted.

        Raises:
            OSError: A file cannot be read.
        """
        sources, folder = [self.source], self.source.parent
        while (folder / INIT).is_file():  # running the file runs the packages around it
            sources.append(folder / INIT)
            folder = folder.parent
        return [file for file in find_imported_files(sources, self.roots) if file.is_relative_to(self.root)]

    def digest(self) -> str:
        """Return the SHA-256 of what the file and its modules compute, wherever they are."""
        return digest_sources(self.list_modules(), self.root)


def open_external_method(source: Path) -> ExternalMethod:
    """Return the method of a file."""
    source = source.expanduser().resolve()
    root = source.parent
    while (root / INIT).is_file() and (root.parent / INIT).is_file():
        root = root.parent
    return ExternalMethod(source, root)


def hide_private_packages(text: str) -> str:
    """Return a text with the names of modules as the method's files import them, without their private package."""
    return re.sub(rf"{PRIVATE_PREFIX}[0-9a-f]+\.?", "", text)


def _is_package(folder: Path) -> bool:
    """Return whether a path is a folder that an absolute import may mean."""
    if not folder.name.isidentifier() or not folder.is_dir():
        return False
    return (folder / INIT).is_file() or not _is_installed(folder.name)


def _is_installed(name: str) -> bool:
    """Return whether Python finds a module or a package with a file of this name, without importing it."""
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None
