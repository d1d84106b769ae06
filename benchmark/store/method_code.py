"""Methods of one name that are different code: a registered method, and files that are called like it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from benchmark.core.run_spec import RunSpec
from benchmark.utils.method_names import INIT, name_method_file, split_method
from benchmark.utils.paths import ROOT


def select_code(specs: Iterable[RunSpec], name: str) -> list[RunSpec]:
    """Return the runs of the method that a name means; of variants, all are kept.

    Args:
        specs: Specs of runs, also of other methods.
        name: Name or path of a method, with or without a variant. A path means the runs of this file, or if there are
            none, those of files of this name elsewhere; a plain name means the registered method before all files.
    """
    method = split_method(name)[0]
    if not method.endswith(".py"):
        named = [spec for spec in specs if spec.method == method]
        return [spec for spec in named if not spec.source] or named
    named = [spec for spec in specs if spec.method == name_method_file(method)]
    path = os.path.realpath(os.path.expanduser(method))
    if Path(path).parent == ROOT / "methods":
        return [spec for spec in named if not spec.source]
    from_files = [spec for spec in named if spec.source]
    return [spec for spec in from_files if os.path.realpath(spec.source) == path] or from_files


def name_code(spec: RunSpec) -> str:
    """Return what a command calls the method of a run: its registered name, or the path of its file from here."""
    if not spec.source:
        return spec.method
    file = Path(spec.source)
    path = file.parent if file.name == INIT else file
    here = Path.cwd()
    return f".{os.sep}{path.relative_to(here)}" if path.is_relative_to(here) else str(path)
