"""Starting files for new methods: a copy of a method that runs and keeps the contract, under another name."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
import unicodedata
from pathlib import Path

from benchmark.planning.registry import METHODS, list_methods
from benchmark.utils.atomic_files import write_new
from benchmark.utils.external_sources import OWN_NAMES

TEMPLATE = METHODS / "templates" / "starting_method.py"
CLASS_PREFIX, TITLE = "Starting", "Starting method"


def write_new_method(name: str, folder: Path) -> Path:
    """Write the starting file of a method and return its path.

    Args:
        name: Name of the method and stem of the file.
        folder: Folder of the file; created if it does not exist.

    Raises:
        ValueError: The name is no identifier, or it is taken by a module or method.
        FileExistsError: The file exists already.
        OSError: The file cannot be written.
    """
    check_new_name(name)
    path, text = folder / f"{name}.py", fill_template(name)
    if path.exists():
        raise FileExistsError(17, "file exists", str(path))
    write_new(path, text)
    return path


def check_new_name(name: str) -> None:
    """Check that a name can be the name of a new method.

    Raises:
        ValueError: The name is no identifier, or it is taken by a module or method.
    """
    if not name.isidentifier() or not name.isascii() or keyword.iskeyword(name) or name.startswith("_"):
        plain = unicodedata.normalize("NFKD", name.removesuffix(".py"))  # letters without their accents
        plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
        proposal = re.sub(r"\W+", "_", plain, flags=re.ASCII).strip("_")
        advice = f": try {proposal}" if proposal.isidentifier() and not keyword.iskeyword(proposal) else ""
        raise ValueError(f"{name!r} is no name for a Python module: use letters, digits and underscores{advice}")
    if name in {*sys.stdlib_module_names, "test"}:  # Python's list of its modules leaves out its own tests
        raise ValueError(f"{name!r} is a module of Python itself, which the file would hide: choose another name")
    if name in list_methods():
        raise ValueError(f"{name!r} is a registered method: choose another name, such as {name}_2")
    if name in OWN_NAMES or importlib.util.find_spec(name) is not None:
        raise ValueError(f"{name!r} is an installed package, which the file would hide: choose another name")


def fill_template(name: str) -> str:
    """Return the text of the starting file for a name."""
    text = TEMPLATE.read_text(encoding="utf-8")
    prefix = "".join(part[:1].upper() + part[1:] for part in name.split("_") if part)
    while re.search(rf"\b{prefix}(Method|Config)\b", text):  # such as ClipConfig, which the file imports
        prefix = f"My{prefix}"
    title = name.replace("_", " ").strip()
    title = title[:1].upper() + title[1:]
    return re.sub(rf"\b{CLASS_PREFIX}(?=Method|Config)", prefix, text).replace(TITLE, title)
