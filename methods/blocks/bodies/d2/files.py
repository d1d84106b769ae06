"""Config files of Detectron2: finding them by name and making their model zoo importable.

This module imports Detectron2, so import it only in functions that build a body.
"""

from __future__ import annotations

import importlib
import sys
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType

import detectron2

from benchmark.utils.did_you_mean import explain_unknown_name

_PACKAGE = Path(detectron2.__file__).resolve().parent
_ZOO = _PACKAGE / "model_zoo" / "configs"
_TREE = _PACKAGE.parent


def find_config(name: str) -> Path:
    """Return the file of a config.

    Args:
        name: Path of a file, or file name below one of Detectron2's config folders.

    Raises:
        KeyError: The file does not exist; the message names the closest matches.
    """
    path = Path(name).expanduser()
    if path.suffix in (".py", ".yaml", ".yml") and path.is_file():
        return path
    folders = list_config_folders()
    for folder in folders:
        if (folder / name).is_file():
            return folder / name
    known = sorted({str(path.relative_to(folder)) for folder in folders for path in _list_config_files(folder)})
    near = get_close_matches(name, known, n=5, cutoff=0)  # a few of several hundred
    raise KeyError(f"{explain_unknown_name('file or Detectron2 config', name, near)} and others in {folders[0]}")


def list_config_folders() -> list[Path]:
    """Return the config folders, preferred first: inside an installed package, or next to it in a checkout."""
    main = _ZOO if _ZOO.is_dir() else _TREE / "configs"
    return [main, *sorted(_TREE.glob("projects/*/configs"))]


def _list_config_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*.*") if path.suffix in (".py", ".yaml")]


def import_model_zoo() -> None:
    """Import `detectron2.model_zoo`, which most .py config files use.

    The model zoo imports pkg_resources, which newer versions of setuptools no longer include, only to locate its
    configs, and looks for them in the wrong folder in a checkout that was never installed. A stand-in module with the
    one function that the model zoo calls solves both problems.
    """
    stand_in = ModuleType("pkg_resources")
    stand_in.resource_filename = lambda _, name: str(list_config_folders()[0].parent / name)  # type: ignore[attr-defined]
    before = sys.modules.get("pkg_resources")
    sys.modules["pkg_resources"] = stand_in
    try:
        importlib.import_module("detectron2.model_zoo")
    finally:
        del sys.modules["pkg_resources"]
        if before is not None:
            sys.modules["pkg_resources"] = before
