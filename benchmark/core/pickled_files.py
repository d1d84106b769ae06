"""Files of `torch.save`, read without running any code in them.

Tensors and plain data are read; every object of another type (settings, numbers of NumPy, optimizers of other
libraries) is replaced by a stand-in. A file that would run a program is refused, although it could not.
"""

from __future__ import annotations

import pickle
import re
import warnings
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

import torch

CODE_MODULES = ("importlib", "nt", "os", "posix", "runpy", "shutil", "subprocess", "sys", "webbrowser")
"""Modules whose functions have no place in a checkpoint."""
CODE_BUILTINS = ("__import__", "compile", "eval", "exec", "open")
"""Built-in functions that have no place in a checkpoint."""
MAX_FOREIGN_TYPES = 200

STAND_INS = "stand-ins"
"""Name of the module that stand-ins say they are from."""
_FOREIGN = re.compile(r"Unsupported global: GLOBAL (\S+) was not an allowed global")
_BLOCKED = re.compile(r"unsupported GLOBAL (\S+) whose module \S+ is blocked")
_FILLED = re.compile(rf"Can only SETITEMS? for .* but got <class '{STAND_INS}\.(\S+)'>")
_UNSCANNED = (EOFError, LookupError, RuntimeError, TypeError, ValueError, pickle.UnpicklingError)
"""Errors of listing the types in a file of another format, which is then read type by type."""


class StandIn(list[Any]):
    """Stand-in for an object of a type that is neither known nor needed; it ignores what it is made from.

    It is a list because lists of other types are filled item by item.
    """

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """Return an empty stand-in."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __setstate__(self, _: object) -> None:
        pass

    __hash__ = object.__hash__  # type: ignore[assignment]  # it may be a key, which lists may not
    __eq__ = object.__eq__


class _TableStandIn:
    """Stand-in for a type of dictionaries."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        return OrderedDict()


def read_pickled(file: Path) -> Any:
    """Read a file of `torch.save`.

    Raises:
        ValueError: The file would run a function.
        Exception: It is not readable; unpickling arbitrary bytes may raise many errors.
    """
    stand_ins = {name: _make_stand_in(name) for name in _list_foreign_types(file)}
    for _ in range(MAX_FOREIGN_TYPES):
        try:
            return _load(file, stand_ins)
        except pickle.UnpicklingError as error:
            foreign, filled = _find_foreign_type(str(error)), _FILLED.search(str(error))
            if foreign and foreign not in stand_ins:
                stand_ins[foreign] = _make_stand_in(foreign)
            elif filled and stand_ins.get(filled[1]) is not _TableStandIn:
                stand_ins[filled[1]] = _TableStandIn
            else:
                raise
    raise pickle.UnpicklingError(f"more than {MAX_FOREIGN_TYPES} types of objects")


def _load(file: Path, stand_ins: dict[str, type]) -> Any:
    allowed: list[Any] = [(stand_in, name) for name, stand_in in stand_ins.items()]
    # a stream, as torch judges paths by their suffix
    with file.open("rb") as stream, torch.serialization.safe_globals(allowed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about protocols of pickles, and about sources of stand-ins
        return torch.load(stream, map_location="cpu", weights_only=True)


def _list_foreign_types(file: Path) -> Iterator[str]:
    """Yield the foreign types of a file without reading its tensors; those of an old format are found one by one."""
    with file.open("rb") as stream, suppress(*_UNSCANNED):
        yield from torch.serialization.get_unsafe_globals_in_checkpoint(stream)


def _find_foreign_type(message: str) -> str:
    """Return the type or function that an error of torch is about; empty if there is none."""
    found = _BLOCKED.search(message) or _FOREIGN.search(message)
    name = found[1].rstrip(".") if found else ""
    return name if not name or "." in name else f"builtins.{name}"  # which torch leaves out


def _make_stand_in(name: str) -> type:
    """Return a stand-in for a type.

    Raises:
        ValueError: The name is that of a function which runs other code.
    """
    module, _, function = name.rpartition(".")
    if module.partition(".")[0] in CODE_MODULES or (module == "builtins" and function in CODE_BUILTINS):
        raise ValueError(f"runs the function {name} when it is read")
    return type("StandIn", (StandIn,), {"__module__": STAND_INS, "__qualname__": name})
