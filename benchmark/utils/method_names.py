"""Names of methods as users type them: registered names, files and folders, with or without a variant."""

from __future__ import annotations

from pathlib import Path

from benchmark.utils.paths import make_absolute

INIT = "__init__.py"


def split_method(method: str) -> tuple[str, str]:
    """Split "method/variant" into both.

    Args:
        method: "name", "path/file.py" or a folder with a file __init__.py, which begins with ".", "/" or "~" so that it
            is not taken for a name; each alone or followed by "/" and a variant, which may contain slashes.

    Returns:
        Name, or path of a file, that of a folder being its __init__.py; and the variant, empty if none is given. A path
        that leads nowhere is returned whole, as it was given.
    """
    if method.endswith(".py"):
        return method, ""
    head, suffix, label = method.partition(".py/")
    if suffix:
        return f"{head}.py", label
    folder, label = _split_folder(method)
    if folder:
        return f"{folder}/{INIT}", label
    if is_path_like(method):
        return method, ""
    name, _, label = method.partition("/")
    return name, label


def is_path_like(text: str) -> bool:
    """Return whether a text begins like a path, so that it is no name."""
    return text.startswith((".", "/", "~"))


def is_method_path(method: str) -> bool:
    """Return whether a method, with or without a variant, is given as a file or a folder and not by name."""
    return split_method(method)[0].endswith(".py")


def name_method_file(path: str) -> str:
    """Return the name of a method that is given by its file: the stem, or the folder of an __init__.py."""
    file = Path(path)
    return file.stem if file.name != INIT else make_absolute(file).parent.name


def shorten_path(path: str | Path) -> str:
    """Return the name of a file for messages, with its folder if it is an __init__.py."""
    file = Path(path)
    return file.name if file.name != INIT else f"{file.parent.name}/{file.name}"


def _split_folder(method: str) -> tuple[str, str]:
    """Return the longest folder with a file __init__.py that a text begins with, and the rest; both empty if none."""
    if not is_path_like(method):
        return "", ""
    parts = method.rstrip("/").split("/")
    for count in range(len(parts), 0, -1):
        folder = "/".join(parts[:count])
        if (Path(folder).expanduser() / INIT).is_file():
            return folder, "/".join(parts[count:])
    return "", ""
