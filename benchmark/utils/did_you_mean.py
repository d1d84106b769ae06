"""Error messages for unknown names that suggest the nearest known one."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path


def explain_unknown_name(kind: str, name: str, known: Iterable[str]) -> str:
    """Return one line with the unknown name, the nearest known one whatever its case, and all known ones.

    Args:
        kind: Kind of the name, such as "split".
        name: Unknown name.
        known: Known names.
    """
    names = list(known)
    folded = {known_name.casefold(): known_name for known_name in names}
    near = get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    hint = f"; did you mean {folded[near[0]]!r}?" if near else "."
    return f"no {kind} {name!r}{hint} There are: {', '.join(names) or 'none'}"


def explain_missing_file(kind: str, name: str, pattern: str) -> str:
    """Return one line with a path that leads to no file, and the files that lie where it was expected.

    Args:
        kind: Kind of the file, such as "method file".
        name: Path as given.
        pattern: Pattern of such files, such as "*.py".
    """
    folder = Path(name).expanduser().parent
    near = sorted(map(str, folder.glob(pattern)))
    if near:
        return explain_unknown_name(kind, name, near)
    return f"no {kind} {name!r}: there is no " + (
        f"file {pattern} in {folder}" if folder.is_dir() else f"folder {folder}"
    )
