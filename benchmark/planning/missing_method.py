"""Answers to names that stand for no method: what lies at a path, or which file or folder was meant."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from benchmark.utils.did_you_mean import explain_unknown_name, find_near_name
from benchmark.utils.method_names import INIT, is_path_like


def explain_missing_method(kind: str, name: str, known: Iterable[str]) -> str:
    """Return one line about a name or a path that stands for no method.

    Args:
        kind: What was asked for, such as "method" or "method or study".
        name: Name or path as given, without a variant.
        known: Known names.
    """
    path = Path(name).expanduser()
    if path.is_dir() and not (path / INIT).is_file():
        return f"{name!r} is a folder without {INIT}: give the path of a method file in it, {path / 'FILE.py'}"
    if is_path_like(name):
        return _explain_missing_path(name, path)
    if (path / INIT).is_file():
        return f"no {kind} {name!r}, but a folder of this name: give its path, .{os.sep}{name}"
    if Path(f"{name}.py").is_file():
        return f"no {kind} {name!r}, but a file of this name: give its path, .{os.sep}{name}.py"
    return explain_unknown_name(kind, name, known)


def _explain_missing_path(name: str, path: Path) -> str:
    """Return one line about a path of which nothing exists from some part on, or which is a file of another kind."""
    if path.is_file():
        return f"no method {name!r}: a method file ends in .py"
    missing = next(part for part in (*reversed(path.parents), path) if not os.path.lexists(part))
    candidates = [near for near in missing.parent.iterdir() if near.suffix == ".py" or near.is_dir()]
    near = find_near_name(missing.name, sorted(candidate.name for candidate in candidates))
    start = f".{os.sep}" if name.startswith(f".{os.sep}") else ""
    hint = f"; did you mean {start + str(missing.parent / near)!r}?" if near is not None else ""
    return f"no folder {start + str(missing)!r}{hint}"
