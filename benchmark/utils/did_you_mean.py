"""Error messages for unknown names that suggest the nearest known one."""

from __future__ import annotations

import os
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path

SHOWN_NAMES = 30
"""Largest number of known names that a message lists."""
SHOWN_NEAR = 12
"""Largest number of names that a message lists beside other words."""
SURE_BEGINNING = 3
"""Smallest length of a name that is suggested what begins with it."""


def explain_unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return one line with the unknown name, the nearest known one whatever its case, and the first known ones.

    Args:
        kind: Kind of the name, such as "split".
        name: Unknown name.
        known: Known names.
    """
    names = list(known)
    near = find_near_name(name, names)
    hint = f"; did you mean {near!r}?" if near is not None else "."
    more = f", … and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return f"no {kind} {name!r}{hint} There are: {join_names(names[:SHOWN_NAMES]) or 'none'}{more}"


def join_names(names: Iterable[str]) -> str:
    """Return names in one text with commas; names with commas of their own are quoted."""
    return ", ".join(repr(name) if "," in name and name[0] not in "'\"" else name for name in names)


def find_near_name(name: str, known: Iterable[str]) -> str | None:
    """Return the known name nearest to an unknown one, whatever its case; None if none is near.

    Of a name that is the beginning of others and near to none, the shortest of them is returned.
    """
    folded = {known_name.casefold(): known_name for known_name in known}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if not near and len(name) >= SURE_BEGINNING:
        near = sorted((text for text in folded if text.startswith(name.casefold())), key=len)
    return folded[near[0]] if near else None


def list_names(name: str, known: Iterable[str]) -> str:
    """Return names in one text: all of a few in their order, of many those nearest to an unknown or ambiguous one.

    Args:
        name: Unknown or ambiguous name.
        known: Names, with what a message says of each.
    """
    names = list(known)
    more = len(names) - SHOWN_NEAR
    if more <= 0:
        return join_names(names)
    matcher = SequenceMatcher(b=name.casefold())
    near = sorted(names, key=lambda other: -_compare(matcher, other.casefold()))  # equally near ones in their order
    return f"{join_names(near[:SHOWN_NEAR])} and {more} more"


def _compare(matcher: SequenceMatcher[str], name: str) -> float:
    matcher.set_seq1(name)
    return matcher.ratio()


def explain_missing_yaml(kind: str, name: str, known: Iterable[str], *, key: str = "") -> str:
    """Return one line with an unknown name or the path of a YAML file that does not exist.

    Args:
        kind: Kind of the name, such as "split".
        name: Name or path as given.
        known: Known names.
        key: Key that only files of this kind have among YAML files; if empty, all are named.
    """
    if name.endswith((".yaml", ".yml")):
        return explain_missing_file(f"{kind} file", name, "*.y*ml", key=key)
    return explain_unknown_name(kind, name, known)


def explain_missing_file(kind: str, name: str, pattern: str, *, key: str = "") -> str:
    """Return one line with a path that leads to no file: what it leads to, or the files that lie where it was expected.

    Args:
        kind: Kind of the file, such as "method file".
        name: Path as given.
        pattern: Pattern of such files, such as "*.py".
        key: Key at the beginning of a line of such files; if empty, all files of the pattern are named.
    """
    path = Path(name).expanduser()
    if os.path.lexists(path):
        return f"no {kind} {name!r}: it is {_describe_other(path)}"
    folder = path.parent
    near = sorted(str(near) for near in folder.glob(pattern) if near.is_file() and _has_key(near, key))
    if near:
        return explain_unknown_name(kind, name, near)
    return f"no {kind} {name!r}: there is no " + (
        f"{kind if key else 'file'} {pattern} in {folder}" if folder.is_dir() else f"folder {folder}"
    )


def _has_key(path: Path, key: str) -> bool:
    """Return whether a line of a file begins with a key, or no key is asked for."""
    if not key:
        return True
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{key}:") for line in lines)


def _describe_other(path: Path) -> str:
    """Return what lies at a path that is no file."""
    if path.is_dir():
        return "a folder: give a file in it"
    if path.is_symlink() and not os.path.exists(path):
        return f"a symbolic link to {os.readlink(path)}, which leads to no file"
    return "neither a file nor a folder"
