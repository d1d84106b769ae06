"""Detectron2's config files: found by name, and made readable wherever Detectron2 lies.

Importing this loads Detectron2: import it where a body is built.
"""

from __future__ import annotations

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

import detectron2

from benchmark.utils.did_you_mean import unknown_name

_PACKAGE = Path(detectron2.__file__).resolve().parent
_ZOO = _PACKAGE / "model_zoo" / "configs"
_TREE = _PACKAGE.parent


def find_config(name: str) -> Path:
    """The file of a config: a path, or a name below one of the folders where Detectron2 keeps them.

    Raises:
        KeyError: there is none; names the nearest.
    """
    own = Path(name).expanduser()
    if own.suffix in (".py", ".yaml", ".yml") and own.is_file():
        return own
    folders = config_folders()
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    known = sorted({str(path.relative_to(folder)) for folder in folders for path in _files(folder)})
    near = get_close_matches(name, known, n=5, cutoff=0)  # some of hundreds
    raise KeyError(f"{unknown_name('file or Detectron2 config', name, near)} and others in {folders[0]}")


def config_folders() -> list[Path]:
    """Where configs are, best first: an installation keeps them in the package, a checkout beside it."""
    main = _ZOO if _ZOO.is_dir() else _TREE / "configs"
    return [main, *sorted(_TREE.glob("projects/*/configs"))]


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.*") if path.suffix in (".py", ".yaml")]


def ready_model_zoo() -> None:
    """Let config files use `detectron2.model_zoo`, as most .py ones do.

    It imports pkg_resources, which setuptools gave up, for the one question where its configs are; and in a checkout
    that was never installed they are elsewhere than it thinks. So it gets a stand-in that answers this question.
    """
    stand_in = ModuleType("pkg_resources")
    stand_in.resource_filename = lambda _, name: str(config_folders()[0].parent / name)  # type: ignore[attr-defined]
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        importlib.import_module("detectron2.model_zoo")
    finally:
        del sys.modules["pkg_resources"]
        if before is not None:
            sys.modules["pkg_resources"] = before
